// Package denoise reads and writes the bundles of denoisers: a folder with denoiser.onnx, which
// takes rows of the data's layout and gives such rows, and denoiser.yaml, which says how it was
// made and for which noise.
package denoise

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"ucan/internal/atomicfile"
	"ucan/models/declare"
	"ucan/runtime/files"
	"ucan/smooth"
)

// Names of the files of a bundle.
const (
	ModelFile  = declare.DenoiserFile
	RecordFile = declare.DenoiserRecord
)

// Schema names the form of a record.
const Schema = "ucan.denoiser/1"

// ErrRecord marks a record that cannot be read.
var ErrRecord = errors.New("the record of the denoiser is damaged")

// Record is the content of denoiser.yaml.
type Record struct {
	Schema string `yaml:"schema"`
	// SHA256 is that of denoiser.onnx, in hexadecimal.
	SHA256 string `yaml:"denoiser_sha256"`
	// Architecture names how it is built: wiener, or a network that was trained.
	Architecture string `yaml:"architecture"`
	// Shape is that of one input.
	Shape []int `yaml:"shape,flow"`
	// Noise is what it was made for.
	Noise Noise `yaml:"noise"`
	// Filter says what a filter in closed form was made of; nil for others.
	Filter *Filter `yaml:"filter,omitempty"`
	// Training says how it was trained; nil for filters in closed form.
	Training *Training `yaml:"training,omitempty"`
	// Data are the inputs that it was made from; nil for none.
	Data *Data `yaml:"data,omitempty"`
	// Cost is that of one row.
	Cost Cost `yaml:"multiply_adds"`
	// Environment is where it was made.
	Environment map[string]any `yaml:"environment,omitempty"`
}

// Noise tells one noise from another.
type Noise struct {
	Family     string             `yaml:"family"`
	Parameters map[string]float64 `yaml:"parameters,omitempty"`
	// Lambda is the raw scale, and Sigma the standard deviation that it stands for, 0 for none.
	Lambda float64 `yaml:"lambda"`
	Sigma  float64 `yaml:"sigma,omitempty"`
	// NPG is the specification of the generator, as the user gave it; "" for none.
	NPG string `yaml:"npg,omitempty"`
	// Basis is that of the scales, "" for the input's coordinates.
	Basis string `yaml:"basis,omitempty"`
	// ScaleField and OffsetField are the SHA-256 of the fields as little-endian float32 values; ""
	// for ones and zeros.
	ScaleField  string `yaml:"sigma_field_sha256,omitempty"`
	OffsetField string `yaml:"mu_field_sha256,omitempty"`
}

// Filter is a denoiser in closed form.
type Filter struct {
	// Basis is the orthonormal basis that it is diagonal in.
	Basis string `yaml:"basis"`
	// Error is the expected squared error of a coordinate behind the filter, and NoiseError that in
	// front of it.
	Error      float64 `yaml:"expected_error"`
	NoiseError float64 `yaml:"noise_variance"`
}

// Training is how the weights of a denoiser came about.
type Training struct {
	// Configuration holds every setting and digest that decides the bytes of the denoiser, and
	// Fingerprint is its digest.
	Configuration map[string]any `yaml:"configuration"`
	Fingerprint   string         `yaml:"fingerprint"`
	// Surrogates are the classifiers that gradients went through in place of the one that the
	// denoiser is for; none where they went through that.
	Surrogates []Classifier `yaml:"surrogates,omitempty"`
	// SigmaRange are the least and the largest σ that it was trained under, where the noise varied.
	SigmaRange []float64 `yaml:"sigma_range,flow,omitempty"`
	// Epochs and Steps were taken.
	Epochs int   `yaml:"epochs"`
	Steps  int64 `yaml:"steps"`
	// Loss is that of the last epoch.
	Loss float64 `yaml:"loss"`
	// Validation is that of the weights kept, from the end of BestEpoch; nil without held-out
	// inputs.
	Validation *Validated `yaml:"validation,omitempty"`
	BestEpoch  int        `yaml:"best_epoch,omitempty"`
	// Processors are the kinds of processor that took steps.
	Processors []string `yaml:"processors,omitempty"`
	Seconds    float64  `yaml:"seconds"`
}

// Classifier names a model.
type Classifier struct {
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"`
}

// Validated is a validation of denoiser and classifier together.
type Validated struct {
	Clean float64 `yaml:"clean_accuracy"`
	Noisy float64 `yaml:"noisy_accuracy"`
	// Radius is the estimated average certified radius.
	Radius float64 `yaml:"average_radius"`
}

// Data are inputs that statistics or weights come from.
type Data struct {
	Source      string `yaml:"source"`
	Fingerprint string `yaml:"fingerprint"`
	Inputs      int    `yaml:"inputs"`
	Skipped     int    `yaml:"unusable,omitempty"`
	Skip        int    `yaml:"skip,omitempty"`
	Stride      int    `yaml:"stride,omitempty"`
	Max         int    `yaml:"max,omitempty"`
}

// Cost counts multiply–adds of one row.
type Cost struct {
	Denoiser int64 `yaml:"denoiser"`
	// Classifier is that of the classifier it was made for, 0 where none was named.
	Classifier int64 `yaml:"classifier,omitempty"`
}

// NoiseOf is the noise that s is. npg is the generator's specification, "" for none.
func NoiseOf(s *smooth.SealedNoise, npg string) Noise {
	n := s.Noise()
	out := Noise{Family: n.Family.Name(), Lambda: n.Lambda, NPG: npg, ScaleField: fieldHash(n.Sigma()), OffsetField: fieldHash(n.Mu())}
	if p := n.Family.Params(); len(p) > 0 {
		out.Parameters = maps.Clone(p)
	}
	out.Sigma, _ = s.Sigma()
	if u := n.Basis(); u != nil {
		out.Basis = u.Name()
	}
	return out
}

// Same reports whether both are the same noise, however it was specified.
func (n Noise) Same(o Noise) bool {
	return n.Family == o.Family && maps.Equal(n.Parameters, o.Parameters) && n.Lambda == o.Lambda && n.Basis == o.Basis &&
		n.ScaleField == o.ScaleField && n.OffsetField == o.OffsetField
}

// For reports whether the denoiser was made for the noise: the very one, or one of its range of
// scales.
func (r *Record) For(n Noise) bool {
	made := r.Noise
	if t := r.Training; t != nil && len(t.SigmaRange) == 2 && made.Lambda > 0 {
		lowest := t.SigmaRange[0] / t.SigmaRange[1]
		if ratio := n.Lambda / made.Lambda; ratio >= lowest*(1-1e-6) && ratio <= 1+1e-6 {
			made.Lambda = n.Lambda
		}
	}
	return made.Same(n)
}

// String describes the noise in a few words.
func (n Noise) String() string {
	s := n.Family + " noise"
	if n.Sigma > 0 {
		s += fmt.Sprintf(" of σ = %g", n.Sigma)
	} else {
		s += fmt.Sprintf(" of λ = %g", n.Lambda)
	}
	switch {
	case n.NPG != "":
		s += " shaped by " + n.NPG
	case n.ScaleField != "" || n.OffsetField != "":
		s += " shaped by fields"
	}
	return s
}

// fieldHash is the SHA-256 of a field's values; "" for none.
func fieldHash(field []float32) string {
	if field == nil {
		return ""
	}
	sum := smooth.InputID(field)
	return hex.EncodeToString(sum[:])
}

// Write stores a bundle: the graph first, the record that makes it one last. r.Schema and r.SHA256
// are set.
func Write(dir string, graph []byte, r *Record) error {
	return write(dir, graph, r, atomicfile.WriteBytes)
}

// WriteLocked does the same for a caller who alone writes to the folder, and clears away what a
// killed one left behind.
func WriteLocked(dir string, graph []byte, r *Record) error {
	return write(dir, graph, r, atomicfile.WriteLockedBytes)
}

func write(dir string, graph []byte, r *Record, file func(name string, b []byte) error) error {
	sum := sha256.Sum256(graph)
	r.Schema, r.SHA256 = Schema, hex.EncodeToString(sum[:])
	b, err := yaml.Marshal(r)
	if err == nil {
		err = file(filepath.Join(dir, ModelFile), graph)
	}
	if err == nil {
		err = file(filepath.Join(dir, RecordFile), b)
	}
	if err != nil {
		return fmt.Errorf("write the denoiser's bundle: %w", err)
	}
	return nil
}

// Read reads the record beside a denoiser: in its folder, whether path is that or the file in it.
// The error matches fs.ErrNotExist where there is none, [ErrRecord] where it is no record.
func Read(path string) (*Record, error) {
	path = filepath.Join(filepath.Dir(declare.DenoiserPath(path)), RecordFile)
	b, err := files.Read(path, files.MaxYAML)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	var r Record
	if err = yaml.Unmarshal(b, &r); err != nil || r.Schema != Schema {
		return nil, fmt.Errorf("%w: %s is not a whole %s", ErrRecord, path, Schema)
	}
	if slices.Contains([]string{r.SHA256, r.Architecture, r.Noise.Family}, "") {
		return nil, fmt.Errorf("%w: %s leaves out what was made, or for which noise", ErrRecord, path)
	}
	return &r, nil
}
