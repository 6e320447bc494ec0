package models

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"ucan/runtime"
)

// Layout is the order of the axes of a model's input, the batch axis left out.
type Layout string

// The layouts. Undeclared is not a layout: it asks for inference.
const (
	Undeclared Layout = ""
	NCHW       Layout = "nchw" // channels, rows, columns
	NHWC       Layout = "nhwc" // rows, columns, channels
	Flat       Layout = "flat" // the source's values in their own (CHW) order
)

// ParseLayout reads a layout's name; the empty string is Undeclared.
func ParseLayout(s string) (Layout, error) {
	switch l := Layout(strings.ToLower(s)); l {
	case Undeclared, NCHW, NHWC, Flat:
		return l, nil
	}
	return Undeclared, fmt.Errorf("layout %q is unknown; use nchw, nhwc or flat", s)
}

// Declaration is what a user knows about a model and its graph cannot say: the
// content of model.yaml, or of the flags with the same names. The zero value
// declares nothing; every field left out is inferred.
type Declaration struct {
	Input  InputDeclaration  `yaml:"input,omitempty" json:"input"`
	Output OutputDeclaration `yaml:"output,omitempty" json:"output"`
	// Labels names the classes in order; their number must be the model's.
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty"`
	// Denoiser is the file of an image-to-image model composed in front of the
	// classifier and its preprocessing. In a model.yaml it is relative to that file.
	Denoiser string `yaml:"denoiser,omitempty" json:"denoiser,omitempty"`
}

// InputDeclaration describes a model's input. The model sees
// (x·Scale − Mean)/Std, x being the source's values.
type InputDeclaration struct {
	// Name is the graph input that takes the data.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Layout is the order of the input's axes.
	Layout Layout `yaml:"layout,omitempty" json:"layout,omitempty"`
	// Scale multiplies the source's values first; nil means 1, or 255 where the
	// input is of type uint8.
	Scale *float64 `yaml:"scale,omitempty" json:"scale,omitempty"`
	// Mean is subtracted then: one value, or one a channel; nil means 0.
	Mean []float64 `yaml:"mean,omitempty,flow" json:"mean,omitempty"`
	// Std divides last: one positive value, or one a channel; nil means 1.
	Std []float64 `yaml:"std,omitempty,flow" json:"std,omitempty"`
	// Fix gives the other inputs constant values: a number or boolean for all
	// elements, or one value an element, separated by commas.
	Fix map[string]string `yaml:"fix,omitempty" json:"fix,omitempty"`
	// Resize is the length in pixels that the data source resizes an image's short
	// side to, and Crop the side of the centred square it then cuts out; 0 means
	// neither. They act before any noise and are carried out by the data source,
	// not by this package.
	Resize int `yaml:"resize,omitempty" json:"resize,omitempty"`
	Crop   int `yaml:"crop,omitempty" json:"crop,omitempty"`
}

// OutputDeclaration describes how a model's output is read.
type OutputDeclaration struct {
	// Name is the output, or any other tensor of the graph, that holds the scores
	// or the label.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Kind says what the values are: logits, probabilities or label. It is for the
	// reader and the threshold's default; arg-max does not depend on it.
	Kind string `yaml:"kind,omitempty" json:"kind,omitempty"`
	// Decision makes a class of the output.
	Decision string `yaml:"decision,omitempty" json:"decision,omitempty"`
	// Classes is the number of classes where the graph does not tell it, as with
	// some label outputs; 0 means inferred.
	Classes int `yaml:"classes,omitempty" json:"classes,omitempty"`
}

// Validate reports every value out of range.
func (d Declaration) Validate() error {
	var errs []error
	if _, err := ParseLayout(string(d.Input.Layout)); err != nil {
		errs = append(errs, err)
	}
	if d.Input.Scale != nil && (!finite(*d.Input.Scale) || *d.Input.Scale == 0) {
		errs = append(errs, fmt.Errorf("scale is %v; it must be finite and not 0", *d.Input.Scale))
	}
	for _, v := range d.Input.Mean {
		if !finite(v) {
			errs = append(errs, fmt.Errorf("mean has the value %v; every value must be finite", v))
		}
	}
	for _, v := range d.Input.Std {
		if !finite(v) || v <= 0 {
			errs = append(errs, fmt.Errorf("std has the value %v; every value must be positive and finite", v))
		}
	}
	if n, m := len(d.Input.Mean), len(d.Input.Std); n > 1 && m > 1 && n != m {
		errs = append(errs, fmt.Errorf("mean has %d values and std %d; give one, or one a channel", n, m))
	}
	if d.Input.Resize < 0 || d.Input.Crop < 0 {
		errs = append(errs, errors.New("resize and crop are lengths in pixels; they must not be negative"))
	}
	switch d.Output.Kind {
	case "", "logits", "probabilities", "label":
	default:
		errs = append(errs, fmt.Errorf("output kind %q is unknown; use logits, probabilities or label", d.Output.Kind))
	}
	if d.Output.Decision != "" {
		if _, err := ParseDecision(d.Output.Decision); err != nil {
			errs = append(errs, err)
		}
	}
	if d.Output.Classes < 0 || d.Output.Classes == 1 || d.Output.Classes > maxClasses {
		errs = append(errs, fmt.Errorf("classes is %d; it must lie between 2 and %d", d.Output.Classes, maxClasses))
	}
	return errors.Join(errs...)
}

// Merge returns d with every field that over declares in its place: flags over a
// model.yaml. The constants of Fix are merged name by name.
func (d Declaration) Merge(over Declaration) Declaration {
	pick(&d.Input.Name, over.Input.Name)
	pick(&d.Input.Layout, over.Input.Layout)
	if over.Input.Scale != nil {
		d.Input.Scale = over.Input.Scale
	}
	if over.Input.Mean != nil {
		d.Input.Mean = slices.Clone(over.Input.Mean)
	}
	if over.Input.Std != nil {
		d.Input.Std = slices.Clone(over.Input.Std)
	}
	if len(over.Input.Fix) > 0 {
		fix := make(map[string]string, len(d.Input.Fix)+len(over.Input.Fix))
		for k, v := range d.Input.Fix {
			fix[k] = v
		}
		for k, v := range over.Input.Fix {
			fix[k] = v
		}
		d.Input.Fix = fix
	}
	pick(&d.Input.Resize, over.Input.Resize)
	pick(&d.Input.Crop, over.Input.Crop)
	pick(&d.Output.Name, over.Output.Name)
	pick(&d.Output.Kind, over.Output.Kind)
	pick(&d.Output.Decision, over.Output.Decision)
	pick(&d.Output.Classes, over.Output.Classes)
	if over.Labels != nil {
		d.Labels = slices.Clone(over.Labels)
	}
	pick(&d.Denoiser, over.Denoiser)
	return d
}

func pick[T comparable](dst *T, over T) {
	var zero T
	if over != zero {
		*dst = over
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// ParseFix reads the values of the --fix flag, each NAME=VALUE.
func ParseFix(flags []string) (map[string]string, error) {
	fix := make(map[string]string, len(flags))
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("fix %q is not NAME=VALUE", f)
		}
		if _, err := fixedValues(value); err != nil {
			return nil, fmt.Errorf("fix %q: %w", name, err)
		}
		if _, twice := fix[name]; twice {
			return nil, fmt.Errorf("fix %q is given twice; give all its values in one, separated by commas", name)
		}
		fix[name] = value
	}
	return fix, nil
}

// fixedValues reads numbers or booleans separated by commas.
func fixedValues(value string) ([]float64, error) {
	parts := strings.Split(strings.Trim(value, "[] "), ",")
	out := make([]float64, len(parts))
	for i, p := range parts {
		switch p = strings.TrimSpace(p); strings.ToLower(p) {
		case "true":
			out[i] = 1
		case "false":
			out[i] = 0
		default:
			v, err := strconv.ParseFloat(p, 64)
			if err != nil || math.IsNaN(v) {
				return nil, fmt.Errorf("%q is not a number, true or false", p)
			}
			out[i] = v
		}
	}
	return out, nil
}

// Options say how a file is opened. The zero value infers everything from the
// file and its model.yaml.
type Options struct {
	// Name is the model's name in certificates; empty means the file's name
	// without folder and extension.
	Name string
	// Declared wins over model.yaml field by field.
	Declared Declaration
	// YAML is the file of the model's declaration; empty means NAME.model.yaml or
	// model.yaml beside the ONNX file, if there is one.
	YAML string
	// NoYAML looks for no such file: what is declared is all.
	NoYAML bool
	// SourceShape is the shape of one input of the data source (images: C, H, W).
	// nil means that it is inferred from the model.
	SourceShape []int
	// Session says on which provider the graph runs; thread counts are set by
	// [Model.Classifier]. A RunLimit of 0 means fifty times what was measured when the
	// model was opened, and at least a minute (while it is opened, 15 s).
	Session runtime.SessionOptions
	// CacheDir is the folder of measured settings and of the models that are known
	// to load; empty means that neither is kept.
	CacheDir string
	// LoadTimeout bounds the trial of a file that is not yet known to load, in a process
	// of its own; 0 means Session.RunLimit, or what runtime.ProbeOptions says. There is a
	// trial only in a program that begins with runtime.RunProbeChild.
	LoadTimeout time.Duration
	// SkipLoadTrial loads the file in this process at once. Only for files that are
	// trusted: onnxruntime can abort the process on a damaged one.
	SkipLoadTrial bool

	samples  bool // keep the answers to the made-up rows of ExamineSamples
	accepted bool // onnxruntime has taken the file as it stands
}

func fixNames(fix map[string]string) []string {
	names := make([]string, 0, len(fix))
	for n := range fix {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
