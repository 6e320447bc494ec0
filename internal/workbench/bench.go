// Package workbench puts a model on its sessions beside the data that it is to classify, and makes of settings what
// package pipeline runs: the noise, the method and the certifier. The commands and the workers of a zoo share it, so
// that the same settings and seed give the same certificates whoever runs them.
package workbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/models"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// OptionError is a fault of the settings rather than of a file or the machine.
type OptionError struct{ Err error }

// Error implements error.
func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }

// option marks err as a fault of the settings; nil stays nil.
func option(err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{err}
}

func optionf(format string, args ...any) error { return &OptionError{fmt.Errorf(format, args...)} }

// Bench is a model on its sessions beside its data. Its fields are owned by whoever opened them.
type Bench struct {
	Runtime *runtime.Runtime
	Model   *models.Model
	// Source and Info are the data; Source is nil where a model is measured without any.
	Source *dataset.Source
	Info   dataset.Info
	// Setting says how Workers were made: one classifier for each worker.
	Setting models.Setting
	Workers []smooth.Classifier
	// Session are the options of sessions for generators, as those of the model.
	Session runtime.SessionOptions
	// Forced is why the clean check spoke against the pair where the user overrode it, otherwise "".
	Forced string
}

// BatchByRule is the physical batch for inputs of dim values where no measurement may decide: it fills about two
// megabytes, within 4 to 128 rows, which is near the best of every model measured.
func BatchByRule(dim int) int {
	const values = 512 << 10
	batch := 128
	for batch > 4 && batch*dim > values {
		batch /= 2
	}
	return batch
}

// Smoother makes the smoothed classifier of the bench.
func (b *Bench) Smoother(seed uint64) (*smooth.Smoother, error) {
	return smooth.New(b.Workers, smooth.Config{Dim: b.Model.Dim(), Classes: b.Model.Classes(), Seed: seed})
}

// Inputs is a source that refuses labels that the model has no class for, input by input.
type Inputs struct {
	*dataset.Source
	name    string
	classes int
}

// At reads an input; a label outside the classes is a fault of that input alone.
func (s Inputs) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.Source.At(ctx, i)
	if err == nil && item.Label >= s.classes {
		return item, &dataset.ItemError{Source: s.name, Index: i, Err: fmt.Errorf("its label is %d, outside the model's %d classes; give a label map, or leave the input out", item.Label, s.classes)}
	}
	return item, err
}

// Inputs returns the data as the model can take them.
func (b *Bench) Inputs() Inputs {
	return Inputs{Source: b.Source, name: b.Info.Name, classes: b.Model.Classes()}
}

// examinedValues bounds the values that the examination of outputs keeps.
const examinedValues = 16 << 20

// CheckClean classifies the first labelled inputs of the source without noise. A certificate for a model that cannot
// tell them apart would be worthless, and the cause is mostly a wrong scale, layout or label order. It then looks at the
// outputs themselves ([models.Model.Examine]), on the same inputs or, in a source without labels, on the first ones.
func (b *Bench) CheckClean(ctx context.Context) (dataset.CleanReport, error) {
	labels, predictions, rows, err := b.clean(ctx)
	if err != nil {
		return dataset.CleanReport{}, err
	}
	said := make([]int, len(predictions))
	for i, p := range predictions {
		said[i] = int(p)
	}
	report, err := dataset.CheckClean(labels, said, b.Model.Classes())
	if err != nil || len(rows) == 0 {
		return report, err
	}
	x, err := b.Model.Examine(ctx, rows, predictions[:len(rows)/b.Model.Dim()])
	if err != nil {
		return report, fmt.Errorf("examine the model's outputs: %w", err)
	}
	report.Warnings = x.Warnings()
	if fault := x.Fault(); fault != "" && report.OK() {
		report.Verdict, report.Cause = dataset.CleanFaulty, fault
	}
	return report, nil
}

// clean reads and classifies inputs: as many labelled ones as the check looks at, or without any label the first ones. rows
// are the values of the first of them, as far as memory allows.
func (b *Bench) clean(ctx context.Context) (labels []int, predictions []int32, rows []float32, err error) {
	classifier, dim := b.Workers[0], b.Model.Dim()
	buffer, held, labelled := classifier.Input(), 0, 0
	flush := func() error {
		votes, flushErr := classifier.Classify(ctx, held)
		predictions = append(predictions, votes...)
		held = 0
		return flushErr
	}
	for i := 0; i < b.Source.Len() && labelled < dataset.CleanInputs && (labelled > 0 || i < dataset.CleanInputs); i++ {
		item, readErr := b.Inputs().At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(readErr, &bad) {
			continue
		}
		if readErr != nil {
			return nil, nil, nil, readErr
		}
		if item.Label < 0 && labelled > 0 {
			continue
		}
		if item.Label >= 0 {
			labelled++
		}
		if len(rows)+dim <= max(examinedValues, dim) && len(rows) == len(labels)*dim {
			rows = append(rows, item.X...)
		}
		copy(buffer[held*dim:], item.X)
		labels = append(labels, item.Label)
		if held++; (held+1)*dim > len(buffer) {
			if err = flush(); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	if held > 0 {
		err = flush()
	}
	return labels, predictions, rows, err
}

// ModelRecord is the model as certificates name it.
func (b *Bench) ModelRecord() (certificate.Model, error) {
	preprocessing, err := json.Marshal(b.Model.Preprocessing())
	if err != nil {
		return certificate.Model{}, fmt.Errorf("record the preprocessing: %w", err)
	}
	record := certificate.Model{
		Name: b.Model.Name(), SHA256: b.Model.SHA256(), Preprocessing: preprocessing,
		Decision: b.Model.Decision().String(), Classes: b.Model.Classes(),
	}
	if hash := b.Model.Preprocessing().Denoiser; hash != "" {
		record.Denoiser = &certificate.File{Name: filepath.Base(b.Model.Report().Denoiser), SHA256: hash}
	}
	return record, nil
}

// Certification says what is certified of the inputs of a bench.
type Certification struct {
	Noise Noise
	// Statistics have their alpha shared already ([Statistics.Share]).
	Statistics Statistics
	Seed       uint64
	// Version is that of the program, as certificates record it.
	Version string
	// Processor is the kind of this machine's (processor.Processor), as certificates record it; "" for unknown.
	Processor string
}

// Certifier makes what turns inputs into certificates; whoever asked for it closes its Noise. reach is the largest
// radius that the statistics can certify, in the reported norm; where the noise is made for each input, that for s = 1.
func (b *Bench) Certifier(ctx context.Context, c Certification) (certifier *pipeline.Certifier, reach float64, err error) {
	noise, err := b.NoiseMaker(ctx, c.Noise)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, noise.Close())
		}
	}()
	sealed, err := noise.Nominal(ctx)
	if err != nil {
		return nil, 0, option(err)
	}
	smoother, err := b.Smoother(c.Seed)
	if err != nil {
		return nil, 0, err
	}
	model, err := b.ModelRecord()
	if err != nil {
		return nil, 0, err
	}
	method, reach, err := c.Statistics.Method(smoother, sealed)
	if err != nil {
		return nil, 0, option(err)
	}
	var notes map[string]string
	if b.Forced != "" {
		notes = map[string]string{"forced": b.Forced}
	}
	return &pipeline.Certifier{
		Method: method, Noise: noise, Source: b.Info.Name,
		Head: certificate.Head{
			Model: model,
			Run: certificate.Run{
				Seed: certificate.Seed(c.Seed), Provider: b.Model.Provider(), ONNXRuntime: b.Runtime.Version(),
				Batch: b.Setting.Batch, CPU: c.Processor, Ucan: c.Version, Notes: notes,
			},
		},
	}, reach, nil
}
