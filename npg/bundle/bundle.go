package bundle

import (
	"fmt"
	"math"
	"slices"

	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
)

// Role is the use of a graph in a bundle.
type Role string

// The roles of graphs. Each takes one input [N, shape…] (any input name).
const (
	// Mu is G₁ of a certification-wise generator: reads x, gives one value a coordinate.
	Mu Role = "mu"
	// Sigma is G₂: reads x + μ (a dataset-wise network: the constant 1), gives one value a
	// coordinate.
	Sigma Role = "sigma"
	// Joint is one graph for both, with outputs named mu and sigma.
	Joint Role = "generator"
	// Base is the classifier that was trained along with the generator.
	Base Role = "base"
)

// Diagnosis is one finding of training or of a check.
type Diagnosis struct {
	// Name is "collapse", "zero radius", "abstention" or "leak".
	Name string `yaml:"name"`
	// Value is the measured figure and Threshold the one from which the diagnosis is made.
	Value     float64 `yaml:"value"`
	Threshold float64 `yaml:"threshold"`
	// Found says that the diagnosis applies.
	Found bool `yaml:"found"`
	// Text is one sentence with the figure and the knob to turn.
	Text string `yaml:"text"`
}

// Input holds the fields that were optimised for one input.
type Input struct {
	// SHA256 is the hash of the input's float32 little-endian values in source layout.
	SHA256 [32]byte
	// Mu and Sigma have one value a coordinate; a nil Mu stands for zeros.
	Mu, Sigma []float32
}

// Bundle is a generator with all that belongs to it, in memory.
type Bundle struct {
	Kind npg.Kind
	// Basis is the name of the basis that scale fields live in (package basis); "" stands for the
	// input's coordinates.
	Basis string
	// Shape is the shape of one input, as the data source gives it: [C, H, W] for images.
	Shape []int
	// Limits are the floor and the ceiling of the scale, in units of --sigma (1 unless given).
	Limits npg.Limits
	// FixedMean says that μ = 0.
	FixedMean bool
	// MuScale is c in μ = c·G₁(x), usually 1: finite, and not 0 where a graph gives μ.
	MuScale float64
	// Mu and Sigma are the constant fields of kinds pattern and dataset; nil stands for zeros and
	// ones.
	Mu, Sigma []float32
	// Inputs are the fields of kind per-input.
	Inputs []Input
	// Graphs are ONNX models by role.
	Graphs map[Role][]byte
	// Training is the record of how the generator came about; any YAML mapping.
	Training map[string]any
	// Diagnoses are what training found wrong, and what it checked and found right.
	Diagnoses []Diagnosis

	hash string // of npg.yaml, set by Read and Write
}

// Hash returns the hex SHA-256 of the bundle's npg.yaml, which binds every file it names; "" before
// Read or Write.
func (b *Bundle) Hash() string { return b.hash }

// Dim returns the number of coordinates of an input.
func (b *Bundle) Dim() int { return npg.Dim(b.Shape) }

// Transform returns the basis of the scale fields, nil for the input's own coordinates.
func (b *Bundle) Transform() (*basis.Transform, error) {
	if b.Basis == "" {
		return nil, nil
	}
	t, err := basis.Parse(b.Basis)
	if err != nil {
		return nil, err
	}
	if t.Dim() != b.Dim() {
		return nil, fmt.Errorf("the basis %s has %d coordinates, and the shape %v %d", b.Basis, t.Dim(), b.Shape, b.Dim())
	}
	return t, nil
}

// Validate reports the first thing that keeps the bundle from making parameters.
func (b *Bundle) Validate() error {
	if !slices.Contains([]npg.Kind{npg.KindPattern, npg.KindDataset, npg.KindCertification, npg.KindPerInput}, b.Kind) {
		return fmt.Errorf("unknown kind %q: use pattern, dataset, certification or per-input", b.Kind)
	}
	if err := checkShape(b.Shape); err != nil {
		return err
	}
	if err := b.Limits.Validate(); err != nil {
		return err
	}
	if math.IsNaN(b.MuScale) || math.IsInf(b.MuScale, 0) {
		return fmt.Errorf("mu_scale is %v; it must be finite", b.MuScale)
	}
	if _, err := b.Transform(); err != nil {
		return err
	}
	return b.validateContents()
}

func checkShape(shape []int) error {
	if len(shape) == 0 || len(shape) > 8 {
		return fmt.Errorf("shape %v is out of range: give 1 to 8 dimensions", shape)
	}
	d := 1
	for _, n := range shape {
		if n < 1 || n > maxDim/d {
			return fmt.Errorf("shape %v is empty or too large", shape)
		}
		d *= n
	}
	return nil
}

// maxDim is the largest number of coordinates of an input.
const maxDim = 1 << 28

// validateContents checks that the bundle holds what its kind needs, and nothing that could be
// mistaken for it.
func (b *Bundle) validateContents() error {
	type field struct {
		name   string
		values []float32
	}
	sizes := []field{{"mu_field", b.Mu}, {"sigma_field", b.Sigma}}
	seen := map[[32]byte]bool{}
	for i, in := range b.Inputs {
		if in.Sigma == nil || seen[in.SHA256] {
			return fmt.Errorf("input %d has no scale field, or another of the same hash has one", i)
		}
		seen[in.SHA256] = true
		name := fmt.Sprintf("input %d", i)
		sizes = append(sizes, field{name, in.Sigma}, field{name, in.Mu})
	}
	for _, f := range sizes {
		if f.values != nil && len(f.values) != b.Dim() {
			return fmt.Errorf("%s has %d values, and the shape %v %d", f.name, len(f.values), b.Shape, b.Dim())
		}
	}
	constant := b.Mu != nil || b.Sigma != nil
	switch {
	case b.Kind.Guarantee() == smooth.Deployed && b.Sigma == nil:
		return fmt.Errorf("kind %q needs sigma_field, its constant scale field", b.Kind)
	case b.Kind.Guarantee() == smooth.Pinned && constant:
		return fmt.Errorf("kind %q depends on the input and has no constant field", b.Kind)
	case (b.Kind == npg.KindPerInput) != (len(b.Inputs) > 0):
		return fmt.Errorf("kind %q with the fields of %d inputs", b.Kind, len(b.Inputs))
	case b.Kind == npg.KindCertification && b.Graphs[Joint] == nil && b.Graphs[Sigma] == nil:
		return fmt.Errorf("kind %q needs a graph %s or %s", b.Kind, Sigma, Joint)
	case b.Kind == npg.KindCertification && !b.FixedMean && b.MuScale == 0 && (b.Graphs[Mu] != nil || b.Graphs[Joint] != nil):
		return fmt.Errorf("mu_scale is 0, which drops the offset; set fixed_mean, or a scale such as 1")
	case b.FixedMean && b.Mu != nil:
		return fmt.Errorf("fixed_mean with an offset field; leave one out")
	}
	return nil
}
