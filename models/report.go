package models

import (
	"ucan/models/declare"
)

// TensorInfo describes an input or output of a graph.
type TensorInfo struct {
	Name string `json:"name"`
	// Type is the element type in the schema's words, such as "float" or "int64";
	// "sequence", "map" or "optional" for what is not a tensor.
	Type string `json:"type"`
	// Shape has one entry an axis: a number, a symbol, or "?"; nil when the file
	// does not tell the rank.
	Shape []string `json:"shape"`
	// Role says what preparing makes of it: "data", "fixed", "unused", "scores",
	// "label".
	Role string `json:"role,omitempty"`
}

// Batching says how rows are batched.
type Batching struct {
	// Declared is the batch of the file: a number, a symbol, or "?".
	Declared string `json:"declared"`
	// Plan is "dynamic" (the file takes any batch), "rewritten" (made symbolic here)
	// or "fixed" (runs at Size only).
	Plan string `json:"plan"`
	// Size is the only batch that a fixed plan runs at; otherwise 0.
	Size int `json:"size,omitempty"`
	// Edits lists what rewriting changed.
	Edits []string `json:"edits,omitempty"`
	// Why says why a plan is fixed.
	Why string `json:"why,omitempty"`
}

// The plans of Batching.
const (
	planDynamic   = "dynamic"
	planRewritten = "rewritten"
	planFixed     = "fixed"
)

// Normalisation describes operators at the front of a graph that normalise its
// input: a sign that the model takes the source's raw scale.
type Normalisation struct {
	// Operators are the operators in order, such as Sub, Div.
	Operators []string `json:"operators"`
	// Mean and Std are what they amount to, as (x − mean)/std, a value a channel or
	// one for all; nil where that cannot be told.
	Mean []float64 `json:"mean,omitempty"`
	Std  []float64 `json:"std,omitempty"`
}

// Preprocessing is what stands between the noise and the classifier, as recorded in
// certificates. The classifier sees (x·Scale − Mean)/Std in its own layout and order of channels.
type Preprocessing struct {
	Input  string         `json:"input"`
	Layout declare.Layout `json:"layout"`
	Type   string         `json:"type"`
	Shape  []int          `json:"shape"` // of one row of the model's input
	// Channels is the model's order of channels where it is not RGB, that of the data.
	// Mean and Std are in the model's order.
	Channels declare.Channels `json:"channels,omitempty"`
	Scale    float64          `json:"scale"`
	Mean     []float64        `json:"mean"`
	Std      []float64        `json:"std"`
	// Round says that values are rounded and clipped to the input's integer type.
	Round bool `json:"round,omitempty"`
	// Inferred says that neither flags nor model.yaml declared anything.
	Inferred bool              `json:"inferred,omitempty"`
	Fix      map[string]string `json:"fix,omitempty"`
	Output   string            `json:"output"`
	// Denoiser is the SHA-256 of the composed denoiser's file, in hexadecimal.
	Denoiser string `json:"denoiser,omitempty"`
}

// Finding is one line of a report.
type Finding struct {
	// Kind is "found", "guessed", "will do" or "warning".
	Kind string `json:"kind"`
	Text string `json:"text"`
	// Flag is the exact flag that changes it, where there is one.
	Flag string `json:"flag,omitempty"`
}

// The kinds of Finding.
const (
	kindFound   = "found"
	kindGuessed = "guessed"
	kindWillDo  = "will do"
	kindWarning = "warning"
)

// Report is everything that is known about a file: what it holds, what was
// guessed, what preparing does, and the flags that change it.
type Report struct {
	Name      string           `json:"name"`
	File      string           `json:"file"` // without its folder
	SHA256    string           `json:"sha256"`
	Bytes     int64            `json:"bytes"`
	IRVersion int64            `json:"ir_version"`
	Opsets    map[string]int64 `json:"opsets"`
	Producer  string           `json:"producer,omitempty"`
	Operators map[string]int   `json:"operators"`
	Inputs    []TensorInfo     `json:"inputs"`
	Outputs   []TensorInfo     `json:"outputs"`
	Batching  Batching         `json:"batch"`
	Rows      *Rows            `json:"rows,omitempty"` // nil where the data's shape is not known yet
	YAML      string           `json:"yaml,omitempty"` // the model.yaml that was read
	Source    []int            `json:"source_shape"`   // shape of one input of the data source
	Inside    *Normalisation   `json:"normalisation_inside,omitempty"`
	Prep      Preprocessing    `json:"preprocessing"`
	Decision  string           `json:"decision"`
	Ending    string           `json:"ending,omitempty"` // the operator that makes the scores
	Classes   int              `json:"classes"`          // 0: only a run can tell
	Labels    []string         `json:"labels,omitempty"`
	Denoiser  string           `json:"denoiser,omitempty"`
	Findings  []Finding        `json:"findings"`
	Refusal   *Refusal         `json:"refusal,omitempty"`
	Probe     *ProbeResult     `json:"probe,omitempty"`
	// Examination is what made-up rows showed of the outputs; nil where none were run.
	Examination *Examination `json:"examination,omitempty"`
}

func (r *Report) add(kind, text, flag string) {
	r.Findings = append(r.Findings, Finding{Kind: kind, Text: text, Flag: flag})
}
