package dataset

import (
	"context"
	"math"
	"strings"
)

// Form is a kind of data source: how it is written, what it holds and how it is opened. The
// parser, the help, completion, zoo runs and docs/data.md read the table of [Forms], so a new kind
// is one row there.
type Form struct {
	// Name stands before the colon.
	Name string
	// Paths names what stands after it, with brackets around what may be left out.
	Paths string
	// Keys are the options after the question mark, each as key=VALUE. A value of the key "labels"
	// is the path of a file.
	Keys []string
	// Example is a specification as a user may write it.
	Example string
	// Inputs and Labels say in a few words where both come from; Labels is "none" where all are unknown.
	Inputs, Labels string

	minPaths, maxPaths int
	// belongs tells which files of a folder are part of the source; nil: all.
	belongs func(name string) bool
	open    func(ctx context.Context, spec Spec) (backend, Info, error)
}

// Forms is the table of all kinds of source.
func Forms() []Form {
	const many = math.MaxInt
	images := []string{"labels=CSV", "label=COLUMN", "channels=1|3"}
	return []Form{
		{
			Name: "mnist", Paths: "DIR", minPaths: 1, maxPaths: 1, Keys: []string{"split=t10k|train"},
			Example: "mnist:data/mnist?split=train",
			Inputs:  "IDX images, `[1,28,28]`", Labels: "IDX labels; `split` is `t10k` (default) or `train`",
			belongs: isIDX, open: openMNIST,
		},
		{
			Name: "cifar10", Paths: "FILE[,FILE…]", minPaths: 1, maxPaths: many,
			Example: "cifar10:data_batch_1.bin,data_batch_2.bin",
			Inputs:  "`[3,32,32]`", Labels: "the byte before each image", open: openCIFAR,
		},
		{
			Name: "cifar100", Paths: "FILE[,FILE…]", minPaths: 1, maxPaths: many, Keys: []string{"label=fine|coarse"},
			Example: "cifar100:test.bin?label=coarse",
			Inputs:  "`[3,32,32]`", Labels: "`fine` (default) or `coarse`", open: openCIFAR,
		},
		{
			Name: "folder", Paths: "DIR", minPaths: 1, maxPaths: 1, Keys: images, Example: "folder:images",
			Inputs: "images, any size", Labels: "the folder of each class, in alphabetical order, or `labels=CSV`",
			open: openImages,
		},
		{
			Name: "zip", Paths: "FILE", minPaths: 1, maxPaths: 1, Keys: images, Example: "zip:images.zip",
			Inputs: "as `folder:`", Labels: "as `folder:`", open: openImages,
		},
		{
			Name: "tar", Paths: "FILE", minPaths: 1, maxPaths: 1, Keys: images, Example: "tar:images.tar.gz?labels=labels.csv",
			Inputs: "as `folder:`", Labels: "as `folder:`", open: openImages,
		},
		{
			Name: "npy", Paths: "X.npy[,Y.npy]", minPaths: 1, maxPaths: 2, Keys: []string{"scale=1/255", "shape=CxHxW"},
			Example: "npy:x.npy,y.npy?scale=1/255",
			Inputs:  "an array `[N,…]`", Labels: "integers `[N]`", open: openNPY,
		},
		{
			Name: "npz", Paths: "FILE", minPaths: 1, maxPaths: 1, Keys: []string{"x=KEY", "y=KEY", "scale=1/255", "shape=CxHxW"},
			Example: "npz:set.npz?x=images&y=labels",
			Inputs:  "an array of the archive", Labels: "another one", open: openNPZ,
		},
		{
			Name: "csv", Paths: "FILE", minPaths: 1, maxPaths: 1, Keys: []string{"label=COLUMN", "scale=1/255", "shape=CxHxW"},
			Example: "csv:table.csv?label=species",
			Inputs:  "one per row", Labels: "a column, by name or by number from 0", open: openCSV,
		},
		{
			Name: "digits", Keys: []string{"n=COUNT", "seed=SEED"}, Example: "digits?n=500&seed=7",
			Inputs: "digits that the tool draws, `[1,28,28]`", Labels: "known", open: openDigits,
		},
	}
}

// Usage is the form as a user writes it, such as "mnist:DIR[?split=t10k|train]".
func (f Form) Usage() string {
	usage := f.start() + f.Paths
	if len(f.Keys) > 0 {
		usage += "[?" + strings.Join(f.Keys, "&") + "]"
	}
	return usage
}

// start is the name, with a colon where paths follow.
func (f Form) start() string {
	if f.maxPaths == 0 {
		return f.Name
	}
	return f.Name + ":"
}

// keyNames lists the keys of the form; all forms take the number of classes.
func (f Form) keyNames() []string {
	names := []string{"classes"}
	for _, key := range f.Keys {
		name, _, _ := strings.Cut(key, "=")
		names = append(names, name)
	}
	return names
}

// findForm finds the form of a kind, in upper or lower case.
func findForm(kind string) (Form, error) {
	var names []string
	for _, f := range Forms() {
		if strings.EqualFold(f.Name, kind) {
			return f, nil
		}
		names = append(names, f.Name)
	}
	if kind == "" {
		return Form{}, specErrorf("no kind of source before the colon; use one of %s", strings.Join(names, ", "))
	}
	return Form{}, specErrorf("unknown kind of source %q; use one of %s", kind, strings.Join(names, ", "))
}

// Usage lists how sources are written, without their keys.
func Usage() string {
	var all []string
	for _, f := range Forms() {
		all = append(all, f.start()+f.Paths)
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Complete lists the kinds of source that begin with text, each with its form after a tab.
func Complete(text string) []string {
	var all []string
	for _, f := range Forms() {
		if start := f.start(); strings.HasPrefix(start, text) {
			all = append(all, start+"\t"+f.Usage())
		}
	}
	return all
}

// Belongs tells whether a file, by its name below the folder of the source, is part of it: such a
// folder may hold much else.
func (s Spec) Belongs(name string) bool {
	f, err := findForm(s.Kind)
	return err != nil || f.belongs == nil || f.belongs(name)
}
