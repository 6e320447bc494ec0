package dataset

import (
	"context"
	"math"
	"strings"
)

// form is a kind of data source: how it is written, what it holds and how it is opened. The
// parser, the help, completion, zoo runs and docs/data.md read the table of forms, so a new kind is
// one row there.
type form struct {
	// name stands before the colon.
	name string
	// paths names what stands after it, with brackets around what may be left out.
	paths string
	// keys are the options after the question mark, each as key=VALUE. A value of the key "labels"
	// is the path of a file.
	keys []string
	// example is a specification as a user may write it.
	example string
	// inputs and labels say in a few words where both come from; labels is "none" where all are
	// unknown.
	inputs, labels string

	minPaths, maxPaths int
	// belongs tells which files of a folder are part of the source; nil: all.
	belongs func(name string) bool
	open    func(ctx context.Context, spec Spec) (backend, Info, error)
}

// forms is the table of all kinds of source.
func forms() []form {
	const many = math.MaxInt
	images := []string{"labels=CSV", "label=COLUMN", "channels=1|3"}
	return []form{
		{
			name: "mnist", paths: "DIR", minPaths: 1, maxPaths: 1, keys: []string{"split=t10k|train"},
			example: "mnist:data/mnist?split=train",
			inputs:  "IDX images, `[1,28,28]`", labels: "IDX labels; `split` is `t10k` (default) or `train`",
			belongs: isIDX, open: openMNIST,
		},
		{
			name: "cifar10", paths: "FILE[,FILE…]", minPaths: 1, maxPaths: many,
			example: "cifar10:data_batch_1.bin,data_batch_2.bin",
			inputs:  "`[3,32,32]`", labels: "the byte before each image", open: openCIFAR,
		},
		{
			name: "cifar100", paths: "FILE[,FILE…]", minPaths: 1, maxPaths: many, keys: []string{"label=fine|coarse"},
			example: "cifar100:test.bin?label=coarse",
			inputs:  "`[3,32,32]`", labels: "`fine` (default) or `coarse`", open: openCIFAR,
		},
		{
			name: "folder", paths: "DIR", minPaths: 1, maxPaths: 1, keys: images, example: "folder:images",
			inputs: "images, any size", labels: "the folder of each class, in alphabetical order, or `labels=CSV`",
			open: openImages,
		},
		{
			name: "zip", paths: "FILE", minPaths: 1, maxPaths: 1, keys: images, example: "zip:images.zip",
			inputs: "as `folder:`", labels: "as `folder:`", open: openImages,
		},
		{
			name: "tar", paths: "FILE", minPaths: 1, maxPaths: 1, keys: images, example: "tar:images.tar.gz?labels=labels.csv",
			inputs: "as `folder:`", labels: "as `folder:`", open: openImages,
		},
		{
			name: "npy", paths: "X.npy[,Y.npy]", minPaths: 1, maxPaths: 2, keys: []string{"scale=1/255", "shape=CxHxW", "stats=FILE"},
			example: "npy:x.npy,y.npy?scale=1/255",
			inputs:  "an array `[N,…]`", labels: "integers `[N]`", open: openNPY,
		},
		{
			name: "npz", paths: "FILE", minPaths: 1, maxPaths: 1, keys: []string{"x=KEY", "y=KEY", "scale=1/255", "shape=CxHxW", "stats=FILE"},
			example: "npz:set.npz?x=images&y=labels",
			inputs:  "an array of the archive", labels: "another one", open: openNPZ,
		},
		{
			name: "csv", paths: "FILE", minPaths: 1, maxPaths: 1, keys: []string{"label=COLUMN", "drop=A,B", "sep=;", "decimal=,", "scale=1/255", "shape=CxHxW", "stats=FILE"},
			example: "csv:table.csv?label=species",
			inputs:  "one per row", labels: "a column, by name or by number from 0", open: openCSV,
		},
		{
			name: "digits", keys: []string{"n=COUNT", "seed=SEED"}, example: "digits?n=500&seed=7",
			inputs: "digits that the tool draws, `[1,28,28]`", labels: "known", open: openDigits,
		},
	}
}

// usage is the form as a user writes it, such as "mnist:DIR[?split=t10k|train]".
func (f form) usage() string {
	usage := f.start() + f.paths
	if len(f.keys) > 0 {
		usage += "[?" + strings.Join(f.keys, "&") + "]"
	}
	return usage
}

// start is the name, with a colon where paths follow.
func (f form) start() string {
	if f.maxPaths == 0 {
		return f.name
	}
	return f.name + ":"
}

// keyNames lists the keys of the form; all forms take the number of classes.
func (f form) keyNames() []string {
	names := []string{"classes"}
	for _, key := range f.keys {
		name, _, _ := strings.Cut(key, "=")
		names = append(names, name)
	}
	return names
}

// findForm finds the form of a kind, in upper or lower case.
func findForm(kind string) (form, error) {
	var names []string
	for _, f := range forms() {
		if strings.EqualFold(f.name, kind) {
			return f, nil
		}
		names = append(names, f.name)
	}
	if kind == "" {
		return form{}, specErrorf("no kind of source before the colon; use one of %s", strings.Join(names, ", "))
	}
	return form{}, specErrorf("unknown kind of source %q; use one of %s", kind, strings.Join(names, ", "))
}

// Usage lists how sources are written, without their keys.
func Usage() string {
	var all []string
	for _, f := range forms() {
		all = append(all, f.start()+f.paths)
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Complete lists the kinds of source that begin with text, each with its form after a tab.
func Complete(text string) []string {
	var all []string
	for _, f := range forms() {
		if start := f.start(); strings.HasPrefix(start, text) {
			all = append(all, start+"\t"+f.usage())
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
