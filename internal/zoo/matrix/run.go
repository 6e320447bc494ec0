package matrix

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"ucan/internal/zoo/artifact"
	"ucan/models"
)

// RunSchema names the form of a resolved run.
const RunSchema = "ucan.zoo/1"

// Run is a zoo with every choice made: it and the artifacts that it names give the same
// certificates on any machine, but for their time and the section run.
type Run struct {
	// Schema is [RunSchema].
	Schema string `json:"schema"`
	// ID is [Run.Identity]: the hash of everything here that can change a certificate.
	ID string `json:"id"`
	// Seed is that of the noise of every cell.
	Seed uint64 `json:"seed"`
	// ShardSize is the number of inputs of a shard, at least 1; the last shard of a cell may have
	// fewer.
	ShardSize int `json:"shard_size"`
	// Models, Datasets and Noise are the axes of the matrix, each with unique names.
	Models   []Model   `json:"models"`
	Datasets []Dataset `json:"datasets"`
	Noise    []Setting `json:"noise"`
	// Cells are the combinations that run, sorted by (model, dataset, noise).
	Cells []Cell `json:"cells"`
	// Refusals are the combinations that do not, with the reasons. They make no certificates.
	Refusals []Refusal `json:"refusals"`
}

// Model is one model of the matrix.
type Model struct {
	// Name is unique in the run; certificates name the file instead.
	Name string `json:"name"`
	// SHA256 is the hash that certificates carry (models.Model.SHA256).
	SHA256 string `json:"sha256"`
	// File is the ONNX file with its external tensors.
	File artifact.Item `json:"file"`
	// Denoiser is the image-to-image model in front of it, nil for none.
	Denoiser *artifact.Item `json:"denoiser,omitempty"`
	// Declaration is zoo.yaml over model.yaml; no file beside the model is read again. Set its
	// Denoiser to the path of Denoiser.
	Declaration models.Declaration `json:"declaration"`
	Statistics  Statistics         `json:"statistics"`
	Runtime     Runtime            `json:"runtime"`
	Limits      Limits             `json:"limits"`
}

type Dataset struct {
	// Name is unique in the run and stands in the column dataset.
	Name string `json:"name"`
	// Kind and Params are those of dataset.Spec.
	Kind   string            `json:"kind"`
	Params map[string]string `json:"params,omitempty"`
	// Paths are the specification's, in order.
	Paths []artifact.Item `json:"paths,omitempty"`
	// Labels is the file that the parameter labels names, nil for none.
	Labels *artifact.Item `json:"labels,omitempty"`
	// Fingerprint and Source are the fingerprint and the name of dataset.Info.
	Fingerprint string `json:"fingerprint"`
	Source      string `json:"source"`
	// LabelMap is a dataset.LabelMap.
	LabelMap map[string]int `json:"label_map,omitempty"`
	// Skip, Stride and Max are those of certify's flags; Max 0 means all.
	Skip   int `json:"skip"`
	Stride int `json:"stride"`
	Max    int `json:"max"`
	// Resize and Crop are applied before any noise; 0 means neither.
	Resize int `json:"resize,omitempty"`
	Crop   int `json:"crop,omitempty"`
}

type Setting struct {
	// Name is unique in the run, such as "gaussian-l2-s0.25".
	Name string `json:"name"`
	// Family, Params and Norm are those of package family.
	Family string             `json:"family"`
	Params map[string]float64 `json:"params,omitempty"`
	Norm   string             `json:"norm"`
	// Exactly one of Sigma, the standard deviation, and Lambda, the raw scale, is positive.
	Sigma  float64 `json:"sigma,omitempty"`
	Lambda float64 `json:"lambda,omitempty"`
	// Arithmetic is "float32" or "lattice".
	Arithmetic string `json:"arithmetic"`
	// NPG is the generator as the user wrote it, "" for none. Where it names files, pass the
	// paths of Files instead, joined by commas.
	NPG string `json:"npg,omitempty"`
	// Files are the generator's files.
	Files []artifact.Item `json:"files,omitempty"`
}

// Statistics are certify's flags of that name.
type Statistics struct {
	N0    int64   `json:"n0"`
	N     int64   `json:"n"` // the cap under an adaptive profile
	Alpha float64 `json:"alpha"`
	// Adaptive is a profile's name (strict, default, fast), "" for fixed n.
	Adaptive string    `json:"adaptive,omitempty"`
	Grid     []float64 `json:"grid,omitempty"` // nil for the family's own
	Bound    string    `json:"bound"`          // one or two
	// Joint lets alpha hold for all certificates of a cell together.
	Joint      bool `json:"joint,omitempty"`
	LabelAware bool `json:"label_aware,omitempty"`
	// Force certifies a model although the clean check speaks against it; certificates record that.
	Force bool `json:"force,omitempty"`
}

// Runtime configures sessions. Each setting may change the last bits of a score, so all are
// fixed.
type Runtime struct {
	// Providers in order of preference; one alone is strict.
	Providers []Provider `json:"providers"`
	// Threads of one session, at least 1.
	Threads int `json:"threads"`
	// Batch is the physical batch, at least 1; 0 lets [Cell.Batch] decide.
	Batch int `json:"batch,omitempty"`
}

// Provider is an execution provider with its options.
type Provider struct {
	Name    string            `json:"name"`
	Options map[string]string `json:"options,omitempty"`
}

// The queues that shards run on.
const (
	QueueCPU  = "cpu"
	QueueCUDA = "cuda"
)

// Queue is the queue of the model's shards: that of its first provider.
func (r Runtime) Queue() string {
	if len(r.Providers) > 0 && r.Providers[0].Name != "cpu" {
		return QueueCUDA
	}
	return QueueCPU
}

// Limits bound what a shard may take. They do not count for the run's identity.
type Limits struct {
	// Memory is the most bytes that a worker process may hold; 0 for no limit.
	Memory int64 `json:"memory,omitempty"`
	// Timeout is the wall-clock limit in seconds of a shard, and of a trial of the model; 0
	// derives it from the measured speed.
	Timeout float64 `json:"timeout,omitempty"`
}

// Span is the timeout as a duration, 0 for none.
func (l Limits) Span() time.Duration { return time.Duration(l.Timeout * float64(time.Second)) }

// Cell is one combination that runs.
type Cell struct {
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
	Noise   string `json:"noise"`
	// Inputs is the number of selected inputs, at least 1.
	Inputs int `json:"inputs"`
	// Batch is fixed by the model or follows from the input's size. It is never measured, so that
	// all machines agree.
	Batch int `json:"batch"`
	// Forced is what the clean check said where Statistics.Force overrode it.
	Forced string `json:"forced,omitempty"`
}

// Shard is a stretch of the selected inputs of one cell: the unit of work.
type Shard struct {
	// Run is the run's ID.
	Run     string `json:"run"`
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
	Noise   string `json:"noise"`
	// First is the position of the first input among the selected ones, Count their number.
	First int `json:"first"`
	Count int `json:"count"`
}

// String names the shard for people, such as "resnet × cifar × gaussian-l2-s0.25 [16…31]".
func (s Shard) String() string {
	return fmt.Sprintf("%s × %s × %s [%d…%d]", s.Model, s.Dataset, s.Noise, s.First, s.First+s.Count-1)
}

// Index is the index in the whole source of the selected input at a position.
func (d Dataset) Index(position int) int { return d.Skip + position*d.Stride }

// Indices are the indices in the whole source of the shard's inputs, rising.
func (d Dataset) Indices(s Shard) []int {
	indices := make([]int, s.Count)
	for i := range indices {
		indices[i] = d.Index(s.First + i)
	}
	return indices
}

// Shards streams the run's shards: cells in their order, positions rising. It allocates nothing a
// shard.
func (r *Run) Shards() iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		for i := range r.Cells {
			for shard := range r.CellShards(&r.Cells[i]) {
				if !yield(shard) {
					return
				}
			}
		}
	}
}

func (r *Run) CellShards(c *Cell) iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		for first := 0; first < c.Inputs; first += r.ShardSize {
			s := Shard{Run: r.ID, Model: c.Model, Dataset: c.Dataset, Noise: c.Noise, First: first, Count: min(r.ShardSize, c.Inputs-first)}
			if !yield(s) {
				return
			}
		}
	}
}

// ShardCount is the number of shards.
func (r *Run) ShardCount() int64 {
	var n int64
	for _, c := range r.Cells {
		n += int64((c.Inputs + r.ShardSize - 1) / r.ShardSize)
	}
	return n
}

// Inputs is the number of inputs of all cells.
func (r *Run) Inputs() int64 {
	var n int64
	for _, c := range r.Cells {
		n += int64(c.Inputs)
	}
	return n
}

// find returns the first element that matches.
func find[T any](list []T, match func(*T) bool) (*T, bool) {
	for i := range list {
		if match(&list[i]) {
			return &list[i], true
		}
	}
	return nil, false
}

// Model returns the model of that name.
func (r *Run) Model(name string) (*Model, bool) {
	return find(r.Models, func(m *Model) bool { return m.Name == name })
}

func (r *Run) Dataset(name string) (*Dataset, bool) {
	return find(r.Datasets, func(d *Dataset) bool { return d.Name == name })
}

func (r *Run) Setting(name string) (*Setting, bool) {
	return find(r.Noise, func(s *Setting) bool { return s.Name == name })
}

func (r *Run) Cell(model, dataset, noise string) (*Cell, bool) {
	return find(r.Cells, func(c *Cell) bool { return c.Model == model && c.Dataset == dataset && c.Noise == noise })
}

// Combination is a cell with what its names stand for.
type Combination struct {
	Cell  *Cell
	Model *Model
	Data  *Dataset
	Noise *Setting
}

// Resolve looks up what the names of a cell stand for.
func (r *Run) Resolve(c *Cell) (Combination, error) {
	out := Combination{Cell: c}
	var model, data, noise bool
	out.Model, model = r.Model(c.Model)
	out.Data, data = r.Dataset(c.Dataset)
	out.Noise, noise = r.Setting(c.Noise)
	if !model || !data || !noise {
		return out, fmt.Errorf("%s: the run lacks the model, the data or the noise; plan it anew", out)
	}
	return out, nil
}

// String names the combination for people, such as "resnet × cifar × gaussian-l2-s0.25".
func (c Combination) String() string {
	return fmt.Sprintf("%s × %s × %s", c.Cell.Model, c.Cell.Dataset, c.Cell.Noise)
}

// Identity is the SHA-256, in hexadecimal, of all that can change a certificate or a shard: not
// of where files lie, of limits or of refusals.
func (r *Run) Identity() (string, error) {
	c := r.Portable()
	c.ID, c.Refusals = "", nil
	for i := range c.Models {
		c.Models[i].Limits = Limits{}
	}
	for i := range c.Noise {
		if s := &c.Noise[i]; s.Files != nil {
			s.NPG = "" // the path is no part of what it holds
		}
	}
	text, err := json.Marshal(c) // struct fields in order, maps sorted: one form for one content
	if err != nil {
		return "", fmt.Errorf("identify the run: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Portable is the run without the paths of the machine that planned it, but for the last element
// of those of generators.
func (r *Run) Portable() *Run {
	c := *r
	c.Models, c.Datasets, c.Noise = slices.Clone(r.Models), slices.Clone(r.Datasets), slices.Clone(r.Noise)
	for i := range c.Models {
		m := &c.Models[i]
		m.File.Origin, m.Denoiser = "", withoutOrigin(m.Denoiser)
	}
	for i := range c.Datasets {
		d := &c.Datasets[i]
		d.Paths, d.Labels = withoutOrigins(d.Paths), withoutOrigin(d.Labels)
	}
	for i := range c.Noise {
		s := &c.Noise[i]
		if s.Files = withoutOrigins(s.Files); s.Files != nil {
			var names []string
			for _, item := range s.Files {
				names = append(names, item.Entry)
			}
			s.NPG = strings.Join(names, ",")
		}
	}
	return &c
}

func withoutOrigins(items []artifact.Item) []artifact.Item {
	items = slices.Clone(items)
	for i := range items {
		items[i].Origin = ""
	}
	return items
}

func withoutOrigin(item *artifact.Item) *artifact.Item {
	if item == nil {
		return nil
	}
	c := *item
	c.Origin = ""
	return &c
}
