// Package declare holds what a user knows about a model and its graph cannot say: the layout and
// the normalisation of its input, how a class is made of its output, the names of the classes. It
// comes from flags or from a model.yaml beside the ONNX file ([Resolve]).
package declare

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
	return Undeclared, fmt.Errorf("unknown layout %q: use nchw, nhwc or flat", s)
}

// Channels is the order of an image's channels that a model expects.
type Channels string

// The orders of channels. AsGiven is that of the data, which is RGB.
const (
	AsGiven Channels = ""
	RGB     Channels = "rgb"
	BGR     Channels = "bgr"
)

// ParseChannels reads the name of an order of channels; the empty string is AsGiven.
func ParseChannels(s string) (Channels, error) {
	switch c := Channels(strings.ToLower(s)); c {
	case AsGiven, RGB, BGR:
		return c, nil
	}
	return AsGiven, fmt.Errorf("unknown order of channels %q: use rgb or bgr", s)
}

// Declaration is what is declared of one model: the
// content of model.yaml, or of the flags with the same names. The zero value
// declares nothing; every field left out is inferred.
type Declaration struct {
	Input  Input  `yaml:"input,omitempty" json:"input"`
	Output Output `yaml:"output,omitempty" json:"output"`
	// Labels names the classes in order; their number must be the model's.
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty"`
	// Denoiser is the file of an image-to-image model composed in front of the
	// classifier and its preprocessing. In a model.yaml it is relative to that file.
	Denoiser string `yaml:"denoiser,omitempty" json:"denoiser,omitempty"`
}

// Input describes a model's input. The model sees
// (x·Scale − Mean)/Std, x being the source's values.
type Input struct {
	// Name is the graph input that takes the data.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Layout is the order of the input's axes.
	Layout Layout `yaml:"layout,omitempty" json:"layout,omitempty"`
	// Channels is the order of channels that the model was trained with. Data are in RGB;
	// for BGR their channels are reversed before Scale, Mean and Std, which are in the
	// model's order.
	Channels Channels `yaml:"channels,omitempty" json:"channels,omitempty"`
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

// Output describes how a model's output is read.
type Output struct {
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
	if _, err := ParseChannels(string(d.Input.Channels)); err != nil {
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
		errs = append(errs, fmt.Errorf("unknown output kind %q: use logits, probabilities or label", d.Output.Kind))
	}
	if d.Output.Decision != "" {
		if _, err := ParseDecision(d.Output.Decision); err != nil {
			errs = append(errs, err)
		}
	}
	if d.Output.Classes < 0 || d.Output.Classes == 1 || d.Output.Classes > MaxClasses {
		errs = append(errs, fmt.Errorf("classes is %d; it must lie between 2 and %d", d.Output.Classes, MaxClasses))
	}
	return errors.Join(errs...)
}

// Merge returns d with every field that over declares in its place: flags over a
// model.yaml. The constants of Fix are merged name by name.
func (d Declaration) Merge(over Declaration) Declaration {
	pick(&d.Input.Name, over.Input.Name)
	pick(&d.Input.Layout, over.Input.Layout)
	pick(&d.Input.Channels, over.Input.Channels)
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
		maps.Copy(fix, d.Input.Fix)
		maps.Copy(fix, over.Input.Fix)
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

// Err is wrapped by errors about what was declared: an unknown input or output name, a value that
// does not fit the model, a fault in a model.yaml. It is a wrong usage, not a refusal.
var Err = errors.New("wrong declaration")

// Errorf returns an error that wraps [Err].
func Errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", Err, fmt.Errorf(format, args...))
}
