package certify

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ucan/internal/dataset"
	"ucan/smooth"
)

// numbered gives input i the single value i.
type numbered struct{ source }

func (s numbered) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.source.At(ctx, i)
	item.X = []float32{float32(i)}
	return item, err
}

func TestClassifyKeepsOrderAndFillsBatches(t *testing.T) {
	calls := 0
	base := smooth.ClassifierFunc(1, 4, func(x []float32) int32 { return int32(x[0]) * 2 })
	classifier := counting{base, &calls}
	var order []int
	err := Classify(context.Background(), Loop{Source: numbered{source{bad: []int{6}, broken: -1}}, Indices: upTo(11), MaxFailures: 1}, classifier, 1,
		func(item dataset.Item, label int32) error {
			if int(label) != 2*item.Index {
				t.Errorf("input %d has label %d", item.Index, label)
			}
			order = append(order, item.Index)
			return nil
		},
		func(item dataset.Item, _ error) error { order = append(order, -item.Index); return nil })
	if !errors.Is(err, ErrSomeFailed) {
		t.Errorf("error %v, want some failed", err)
	}
	if want := []int{0, 1, 2, 3, 4, 5, -6, 7, 8, 9, 10}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if calls != 3 { // 4, then 2 before the bad input, then 4
		t.Errorf("%d runs of the model, want 3", calls)
	}
}

type counting struct {
	smooth.Classifier
	calls *int
}

func (c counting) Classify(ctx context.Context, rows int) ([]int32, error) {
	*c.calls++
	return c.Classifier.Classify(ctx, rows)
}
