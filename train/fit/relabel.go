package fit

import (
	"context"
	"fmt"
	"slices"

	"ucan/internal/dataset"
)

// Relabel gives inputs other labels than their source does, and leaves out those without one.
type Relabel struct {
	// Labels are by the index of the input in the whole source.
	Labels map[int]int
	// Names are those of the classes, in their order.
	Names []string
	// Origin says where the labels come from, for the record.
	Origin string
}

// relabelled is a source under other labels.
type relabelled struct {
	*dataset.Source
	Relabel
}

func (s relabelled) Info() dataset.Info {
	info := s.Source.Info()
	info.Classes, info.Labels = len(s.Names), s.Names
	return info
}

func (s relabelled) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.Source.At(ctx, i)
	if err != nil {
		return item, err
	}
	label, ok := s.Labels[i]
	if !ok || label < 0 || label >= len(s.Names) {
		return item, &dataset.ItemError{Source: s.Source.Info().Name, Index: i, Err: fmt.Errorf("it has no label among %d", len(s.Names))}
	}
	item.Label = label
	return item, nil
}

// within returns those of the indices that have a label.
func (r Relabel) within(indices []int) []int {
	return slices.DeleteFunc(slices.Clone(indices), func(i int) bool { _, ok := r.Labels[i]; return !ok })
}
