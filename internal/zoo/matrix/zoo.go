package matrix

import (
	"path"
	"slices"

	"ucan/internal/dataset"
	"ucan/models"
)

// Zoo is a valid zoo.yaml: defaults filled in, globs expanded, paths located. [Resolver.Resolve]
// then looks at models and data.
type Zoo struct {
	// File is the file as the user named it.
	File     string
	Models   []ModelEntry
	Datasets []DatasetEntry
	// Noise are the settings, with located paths and without Files.
	Noise []Setting
	// Seed is nil where it follows from the run's content.
	Seed      *uint64
	ShardSize int
	Skip      []Rule
}

type ModelEntry struct {
	// Line is where the file says so.
	Line int
	Name string
	// File is the located path.
	File string
	// Declared wins over a model.yaml beside the file.
	Declared   models.Declaration
	Statistics Statistics
	Runtime    Runtime
	Limits     Limits
}

type DatasetEntry struct {
	Line int
	// Name is "" where it is to be that of the source.
	Name string
	// Spec has located paths.
	Spec dataset.Spec
	// The rest is as in [Dataset].
	Skip, Stride, Max int
	Resize, Crop      int
	LabelMap          map[string]int
}

// Rule leaves out the combinations whose names match all three patterns (path.Match).
type Rule struct {
	Model, Dataset, Noise string
}

// Matches reports whether the rule leaves a combination out.
func (r Rule) Matches(model, dataset, noise string) bool {
	return matches(r.Model, model) && matches(r.Dataset, dataset) && matches(r.Noise, noise)
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Skipped reports whether a rule leaves a combination out.
func (z *Zoo) Skipped(model, dataset, noise string) bool {
	return slices.ContainsFunc(z.Skip, func(r Rule) bool { return r.Matches(model, dataset, noise) })
}
