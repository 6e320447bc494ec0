package resolve

import (
	"context"
	"fmt"

	"ucan/internal/dataset"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
)

// source is a data source with the ways of preparing its images that models asked for.
type source struct {
	entry matrix.DatasetEntry
	set   matrix.Dataset
	open  map[[2]int]*dataset.Source // by resize and crop
	note  func(format string, args ...any)
}

// datasets opens and describes the data sources, and reports all that are at fault.
func (r *resolver) datasets(ctx context.Context) error {
	faults := &matrix.Faults{File: r.zoo.File}
	named := map[string]int{}
	for _, entry := range r.zoo.Datasets {
		r.opts.Note("reading %s", matrix.SourceText(entry.Spec))
		s := &source{entry: entry, open: map[[2]int]*dataset.Source{}, note: r.opts.Note}
		err := s.describe(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.data = append(r.data, s)
		if err != nil {
			faults.List = append(faults.List, matrix.Fault{Line: entry.Line, Text: err.Error()})
			continue
		}
		if line, twice := named[s.set.Name]; twice {
			faults.List = append(faults.List, matrix.Fault{Line: entry.Line, Text: fmt.Sprintf("dataset %q is there already (line %d); give one of them another name", s.set.Name, line)})
		}
		named[s.set.Name] = entry.Line
		r.run.Datasets = append(r.run.Datasets, s.set)
	}
	if len(faults.List) > 0 {
		return faults
	}
	return nil
}

// describe opens the source once and hashes its files.
func (s *source) describe(ctx context.Context) error {
	e := s.entry
	s.set = matrix.Dataset{
		Name: e.Name, Kind: e.Spec.Kind, Params: map[string]string{}, LabelMap: e.LabelMap,
		Skip: e.Skip, Stride: e.Stride, Max: e.Max, Resize: e.Resize, Crop: e.Crop,
	}
	open, err := s.at(ctx, s.options())
	if err != nil {
		return err
	}
	info := open.Info()
	s.set.Fingerprint, s.set.Source = info.Fingerprint, info.Name
	if s.set.Name == "" {
		s.set.Name = info.Name
	}
	if _, err := s.selection().Indices(open.Len()); err != nil {
		return err
	}
	for _, path := range e.Spec.Paths {
		item, err := artifact.Describe(ctx, path, nil, e.Spec.Belongs)
		if err != nil {
			return err
		}
		s.set.Paths = append(s.set.Paths, item)
	}
	for name, value := range e.Spec.Params {
		if name != "labels" {
			s.set.Params[name] = value
			continue
		}
		item, err := artifact.Describe(ctx, value, nil, nil)
		if err != nil {
			return err
		}
		s.set.Labels = &item
	}
	return nil
}

// options are those of the source, whatever a model declares.
func (s *source) options() dataset.Options {
	return dataset.Options{Resize: s.entry.Resize, Crop: s.entry.Crop, LabelMap: s.entry.LabelMap}
}

// at opens the source under a way of preparing images, once for each.
func (s *source) at(ctx context.Context, o dataset.Options) (*dataset.Source, error) {
	key := [2]int{o.Resize, o.Crop}
	if open, ok := s.open[key]; ok {
		return open, nil
	}
	open, err := dataset.Open(ctx, matrix.SourceText(s.entry.Spec), o)
	if err != nil {
		return nil, err
	}
	s.open[key] = open
	if len(s.open) == 1 {
		for _, note := range open.Info().Notes {
			s.note("%s: %s", open.Info().Name, note)
		}
	}
	return open, nil
}

func (s *source) selection() dataset.Selection {
	selection := dataset.DefaultSelection()
	selection.Skip, selection.Stride = s.set.Skip, s.set.Stride
	if s.set.Max > 0 {
		selection.Max = s.set.Max
	}
	return selection
}
