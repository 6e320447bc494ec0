package base

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"ucan/internal/atomicfile"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/files"
	"ucan/train"
)

// Names of the files of a bundle.
const (
	ModelFile  = declare.ModelFile
	RecordFile = "train.yaml"
)

// Schema names the form of a record.
const Schema = "ucan.base/1"

// Record is what a bundle says of its training: the content of train.yaml.
type Record struct {
	Schema string `yaml:"schema"`
	// Configuration holds every setting and digest that decides the bytes of the model. A resumed
	// run must have the same.
	Configuration map[string]any `yaml:"configuration"`
	// Digest is the fingerprint of Configuration, by which a damaged record is told; Write sets it.
	Digest string `yaml:"fingerprint"`
	// Environment is where it ran; it is not compared.
	Environment map[string]any `yaml:"environment"`
	// Result is nil until training is finished.
	Result *Outcome `yaml:"result,omitempty"`
}

// Outcome is how a training ended.
type Outcome struct {
	// Model is the SHA-256 of model.onnx.
	Model        string  `yaml:"model_sha256" json:"model_sha256"`
	Epochs       int     `yaml:"epochs" json:"epochs"`
	Steps        int64   `yaml:"steps" json:"steps"`
	StoppedEarly bool    `yaml:"stopped_early" json:"stopped_early"`
	Loss         float64 `yaml:"loss" json:"loss"`
	Noisy        float64 `yaml:"noisy_accuracy" json:"noisy_accuracy"` // on training batches of the last epoch
	// Validation is that of the weights kept, from the end of BestEpoch; nil without held-out
	// images.
	Validation *Validated `yaml:"validation,omitempty" json:"validation,omitempty"`
	BestEpoch  int        `yaml:"best_epoch,omitempty" json:"best_epoch,omitempty"`
	// Processors are the kinds of processor that took steps; a model made on several has bytes of
	// its own.
	Processors []string `yaml:"processors,omitempty" json:"processors,omitempty"`
	Seconds    float64  `yaml:"seconds" json:"seconds"`
}

// Validated is a validation as records show it.
type Validated struct {
	Clean float64 `yaml:"clean_accuracy" json:"clean_accuracy"`
	Noisy float64 `yaml:"noisy_accuracy" json:"noisy_accuracy"`
	// Radius is the estimated average certified radius.
	Radius float64 `yaml:"average_radius" json:"average_radius"`
}

// NewOutcome sums up a result.
func NewOutcome(r train.Result, model string) *Outcome {
	o := &Outcome{
		Model: model, Epochs: r.Epochs, Steps: r.Steps, StoppedEarly: r.Stopped,
		Loss: r.Loss, Noisy: r.Noisy, BestEpoch: r.BestEpoch, Processors: r.Processors, Seconds: r.Seconds,
	}
	if b := r.Best; b != nil {
		o.Validation = &Validated{Clean: b.Clean, Noisy: b.Noisy, Radius: b.Score}
	}
	return o
}

// Fingerprint is a digest of the configuration: the same settings give the same.
func (r Record) Fingerprint() (string, error) {
	b, err := json.Marshal(r.Configuration) // keys are sorted
	if err != nil {
		return "", fmt.Errorf("record the settings: %w", err)
	}
	return digest(b), nil
}

// Write stores the record in a bundle, in one step.
func (r Record) Write(dir string) error {
	r.Schema = Schema
	var b []byte
	var err error
	if r.Digest, err = r.Fingerprint(); err == nil {
		b, err = yaml.Marshal(r)
	}
	if err == nil {
		err = atomicfile.WriteLockedBytes(filepath.Join(dir, RecordFile), b)
	}
	if err != nil {
		return fmt.Errorf("write the bundle's record: %w", err)
	}
	return nil
}

// ErrRecord marks a record that cannot be read.
var ErrRecord = errors.New("the bundle's record is damaged")

// ReadRecord reads the record of a bundle. The error matches fs.ErrNotExist when there is none,
// [ErrRecord] when it is damaged.
func ReadRecord(dir string) (Record, error) {
	var r Record
	b, err := files.Read(filepath.Join(dir, RecordFile), files.MaxYAML)
	if err != nil {
		return r, fmt.Errorf("read the bundle's record: %w", err)
	}
	damaged := fmt.Errorf("%w: %s of %q is not a whole %s", ErrRecord, RecordFile, filepath.Base(dir), Schema)
	if err = yaml.Unmarshal(b, &r); err != nil || r.Schema != Schema {
		return Record{}, damaged
	}
	if digest, err := r.Fingerprint(); err != nil || digest != r.Digest {
		return Record{}, damaged
	}
	return r, nil
}

// Finished reports whether the bundle's training is done and its model is the one that was written
// then.
func (r Record) Finished(dir string) bool {
	if r.Result == nil {
		return false
	}
	b, err := files.Read(filepath.Join(dir, ModelFile), files.MaxModel)
	return err == nil && digest(b) == r.Result.Model
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// WriteModel exports the objective's classifier into a bundle and returns its SHA-256.
func (o *Objective) WriteModel(dir string) (string, error) {
	m, err := o.Export()
	if err != nil {
		return "", err
	}
	b, err := m.Marshal()
	if err == nil {
		err = atomicfile.WriteLockedBytes(filepath.Join(dir, ModelFile), b)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", ModelFile, err)
	}
	return digest(b), nil
}

// WriteDeclaration writes a bundle's model.yaml.
func WriteDeclaration(dir string, d models.Declaration) error {
	b, err := yaml.Marshal(d)
	if err == nil {
		err = atomicfile.WriteLockedBytes(filepath.Join(dir, "model.yaml"), b)
	}
	if err != nil {
		return fmt.Errorf("write the model's declaration: %w", err)
	}
	return nil
}
