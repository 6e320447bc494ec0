package fit

import (
	"context"
	"fmt"
	"sync/atomic"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/train/data"
	"ucan/train/spectrum"
)

// Data configures what is trained on, and what is held out for validation.
type Data struct {
	// Source gives the inputs, Selection chooses those to train on.
	Source    *dataset.Source
	Selection dataset.Selection
	// Validation gives inputs to validate on, the first ValidationSkip left out; nil for none.
	Validation     *dataset.Source
	ValidationSkip int
	// HoldOut is the number of selected inputs that the seed takes out for validation instead; 0
	// for none.
	HoldOut int
	// ValidationMax is the largest number of inputs to validate on, at even distances; 0 for all.
	ValidationMax int

	// Relabel, where not nil, gives the inputs of Source other labels and leaves out those without
	// one.
	Relabel *Relabel

	// unlabelled, where not nil, counts the inputs without a label, which are then taken as of
	// class 0.
	unlabelled *atomic.Int64
}

// anyLabel is a source whose inputs without a label are of class 0.
type anyLabel struct {
	*dataset.Source
	missing *atomic.Int64
}

func (s anyLabel) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.Source.At(ctx, i)
	if err == nil && item.Label < 0 {
		s.missing.Add(1)
		item.Label = 0
	}
	return item, err
}

// load reads the inputs into memory; held is nil when nothing is held out.
func (d Data) load(ctx context.Context, seed uint64, o Observer) (set, held *data.Set, err error) {
	if set, err = d.read(ctx, d.Source, d.Selection, o); err != nil {
		return nil, nil, err
	}
	switch {
	case d.Validation != nil:
		held, err = d.read(ctx, d.Validation, d.validation(), o)
	case d.HoldOut > 0:
		set, held, err = set.Split(d.HoldOut, seed)
		err = fault.Mark(fault.Wrong, err)
	}
	if err != nil || held == nil {
		return set, nil, err
	}
	if held.Dim() != set.Dim() {
		return nil, nil, fault.Refusedf("validate on %s: its inputs have %d values and those of %s %d; take data of one shape", held.Info().Name, held.Dim(), set.Info().Name, set.Dim())
	}
	if d.ValidationMax > 0 {
		held = held.Spread(d.ValidationMax)
	}
	return set, held, nil
}

// MatchClasses makes the labels of both sources those of a model with these names, or, without
// names, those of the validation the classes of the training. It says what was decided.
func (d *Data) MatchClasses(names []string) (notes []string, err error) {
	source, notes, err := d.Source.Under(names)
	if err != nil {
		return nil, fmt.Errorf("match the classes of %s with those of the model: %w", d.Source.Info().Name, err)
	}
	d.Source = source
	if d.Validation == nil {
		return notes, nil
	}
	validation, more, err := d.Validation.Under(source.Info().Labels)
	if err != nil {
		return nil, fmt.Errorf("match the classes of %s with those of the training: %w", d.Validation.Info().Name, err)
	}
	d.Validation = validation
	return append(notes, more...), nil
}

// validation selects from the data for validation.
func (d Data) validation() dataset.Selection {
	s := dataset.DefaultSelection()
	s.Skip = d.ValidationSkip
	if d.ValidationMax > 0 {
		// At even distances, since a source may be sorted by class.
		s.Max, s.Stride = d.ValidationMax, max(1, (d.Validation.Len()-d.ValidationSkip)/d.ValidationMax)
	}
	return s
}

// read reads a selection of a source into memory.
func (d Data) read(ctx context.Context, source *dataset.Source, selection dataset.Selection, o Observer) (*data.Set, error) {
	indices, err := selection.Indices(source.Len())
	if err != nil {
		return nil, fault.Mark(fault.Wrong, err)
	}
	each := func() {}
	if o.Reading != nil {
		one, done := o.Reading(len(indices))
		defer done()
		each = one
	}
	var from data.Source = source
	if d.Relabel != nil {
		from, indices = relabelled{source, *d.Relabel}, d.Relabel.within(indices)
	}
	if d.unlabelled != nil {
		from = anyLabel{source, d.unlabelled}
	}
	set, err := data.Load(ctx, from, indices, 0, each)
	if err != nil {
		return nil, err
	}
	if n := set.Skipped(); n > 0 {
		o.warn("%d inputs of %s are unusable and left out", n, set.Info().Name)
	}
	return set, nil
}

// measure takes the moments of the selected inputs, without their labels.
func (r Run) measure(ctx context.Context) (*spectrum.Moments, error) {
	indices, err := r.Data.Selection.Indices(r.Data.Source.Len())
	if err != nil {
		return nil, fault.Mark(fault.Wrong, err)
	}
	each := func() {}
	if r.Observer.Reading != nil {
		one, done := r.Observer.Reading(len(indices))
		defer done()
		each = one
	}
	m, err := spectrum.Measure(ctx, r.Data.Source, indices, each)
	if err == nil && m.Skipped > 0 {
		r.Observer.warn("%d inputs of %s are unusable and left out", m.Skipped, r.Data.Source.Info().Name)
	}
	return m, err
}
