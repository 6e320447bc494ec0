package certify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Request names a model, the data beside it and how the model runs.
type Request struct {
	Runtime *runtime.Runtime
	// Model is the model's file, and Options say how it is opened; SourceShape is filled in.
	Model   string
	Options models.Options
	// Data opens the data, nil for a model without any. It gets DataOptions; where they say nothing
	// of resizing and cropping, what the model declares counts. The source stays the caller's.
	Data        func(context.Context, dataset.Options) (*dataset.Source, error)
	DataOptions dataset.Options
	// Selection chooses inputs of the data.
	Selection dataset.Selection
	// Setting decides how the opened model runs.
	Setting func(context.Context, *models.Model) (models.Setting, error)
}

// Setup is a model on its sessions beside its data.
type Setup struct {
	Runtime *runtime.Runtime
	Model   *models.Model
	// Source and Info are the data; Source is nil where a model runs without any.
	Source *dataset.Source
	Info   dataset.Info
	// Notes say how the classes of the data were matched with those of the model.
	Notes []string
	// Indices are the selected inputs of Source, rising.
	Indices []int
	// Setting says how Classifiers were made: one for each worker.
	Setting     models.Setting
	Classifiers []*models.Classifier
	// Session are the options of sessions for generators, as those of the model.
	Session runtime.SessionOptions
	// Forced is why the clean check spoke against the pair where the user overrode it, otherwise
	// "".
	Forced string
	// Rows is what trial batches showed, nil before [Setup.CheckRows] tried any.
	Rows *models.RowCheck

	file, cacheDir string // of the model, and of what models remember
	anyLabel       bool   // the classes of the data are not the model's
}

// ModelError is a model that cannot be opened.
type ModelError struct{ Err error }

// Error implements error.
func (e *ModelError) Error() string { return "open model " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ModelError) Unwrap() error { return e.Err }

// Open opens data and model, in this order, since mistakes in the data are cheaper to find, and
// makes the sessions. Close the setup after use; the data stay the caller's.
//
// The error is a [*ModelError] where the model cannot be opened, and wraps a [*models.Refusal]
// where it cannot be certified soundly.
func Open(ctx context.Context, r Request) (_ *Setup, err error) {
	s := &Setup{Runtime: r.Runtime, Session: r.Options.Session, file: r.Model, cacheDir: r.Options.CacheDir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if r.Data != nil {
		if err = s.openData(ctx, r); err != nil {
			return nil, err
		}
		r.Options.SourceShape = s.Info.Shape
	}
	if s.Model, err = models.Open(ctx, r.Runtime, r.Model, r.Options); err != nil {
		return nil, &ModelError{err}
	}
	if r.Data == nil {
		s.Info.Shape = s.Model.InputShape()
	} else if s.Source, s.Notes, err = s.Source.Under(s.Model.Labels()); err != nil {
		return nil, fault.Wrongf("match the classes of %s with those of the model: %w", s.Info.Name, err)
	} else {
		s.Info = s.Source.Info()
	}
	if s.Setting, err = r.Setting(ctx, s.Model); err != nil {
		return nil, err
	}
	s.Classifiers, err = s.Model.Classifiers(ctx, s.Setting.Workers, s.Setting.Batch, s.Setting.IntraOp)
	return s, err
}

// openData opens the data as the model wants them, so that certificates speak of the tensor after
// any resizing.
func (s *Setup) openData(ctx context.Context, r Request) error {
	var declared models.Declaration
	var err error
	if o := r.Options; o.YAML != "" || o.NoYAML {
		declared, _, err = declare.ResolveFile(o.YAML, o.Declared)
	} else {
		declared, _, err = declare.Resolve(r.Model, o.Declared)
	}
	if err != nil {
		return &ModelError{err}
	}
	if s.Source, err = r.Data(ctx, PrepareFor(declared, r.DataOptions)); err != nil {
		return err
	}
	s.Info = s.Source.Info()
	s.Indices, err = r.Selection.Indices(s.Source.Len())
	return fault.Mark(fault.Wrong, err)
}

// PrepareFor completes options of data by what a model declares of its input.
func PrepareFor(declared models.Declaration, o dataset.Options) dataset.Options {
	if o.Resize == 0 {
		o.Resize = declared.Input.Resize
	}
	if o.Crop == 0 {
		o.Crop = declared.Input.Crop
	}
	return o
}

// Close releases the sessions and the model. Closing twice is harmless.
func (s *Setup) Close() error {
	var all []error
	for _, c := range slices.Backward(s.Classifiers) {
		all = append(all, c.Close())
	}
	s.Classifiers = nil
	if s.Model != nil {
		all = append(all, s.Model.Close())
	}
	return errors.Join(all...)
}

// Workers are the classifiers as package smooth takes them.
func (s *Setup) Workers() []smooth.Classifier {
	out := make([]smooth.Classifier, len(s.Classifiers))
	for i, c := range s.Classifiers {
		out[i] = c
	}
	return out
}

// Smoother makes the smoothed classifier of the setup.
func (s *Setup) Smoother(seed uint64) (*smooth.Smoother, error) {
	return smooth.New(s.Workers(), smooth.Config{Dim: s.Model.Dim(), Classes: s.Model.Classes(), Seed: seed})
}

// Inputs is a source that refuses labels that the model has no class for, input by input.
type Inputs struct {
	*dataset.Source
	name    string
	classes int
}

// At implements Source.
func (s Inputs) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.Source.At(ctx, i)
	if err == nil && item.Label >= s.classes {
		return item, &dataset.ItemError{Source: s.name, Index: i, Err: fmt.Errorf("its label is %d, outside the model's %d classes; give a label map, or leave the input out", item.Label, s.classes)}
	}
	return item, err
}

// Inputs returns the data as the model can take them.
func (s *Setup) Inputs() Inputs {
	classes := s.Model.Classes()
	if s.anyLabel {
		classes = math.MaxInt
	}
	return Inputs{Source: s.Source, name: s.Info.Name, classes: classes}
}

// ModelRecord is the model as certificates name it.
func (s *Setup) ModelRecord() (certificate.Model, error) {
	preprocessing, err := json.Marshal(s.Model.Preprocessing())
	if err != nil {
		return certificate.Model{}, fmt.Errorf("record the preprocessing: %w", err)
	}
	record := certificate.Model{
		Name: s.Model.Name(), SHA256: s.Model.SHA256(), Preprocessing: preprocessing,
		Decision: s.Model.Decision().String(), Classes: s.Model.Classes(),
	}
	if hash := s.Model.Preprocessing().Denoiser; hash != "" {
		record.Denoiser = &certificate.File{Name: filepath.Base(s.Model.Report().Denoiser), SHA256: hash}
	}
	return record, nil
}
