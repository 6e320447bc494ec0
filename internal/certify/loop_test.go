package certify

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ucan/internal/dataset"
)

// source fails at the indices in bad and, at broken, with an error that concerns the whole call.
type source struct {
	bad    []int
	broken int
}

var errBroken = errors.New("disk gone")

func (s source) At(_ context.Context, i int) (dataset.Item, error) {
	item := dataset.Item{Index: i}
	switch {
	case i == s.broken:
		return item, errBroken
	case slices.Contains(s.bad, i):
		return item, &dataset.ItemError{Source: "test", Index: i, Err: errors.New("torn")}
	}
	return item, nil
}

func visit(ctx context.Context, l Loop) (used, failed []int, err error) {
	err = l.Run(ctx,
		func(_ context.Context, item dataset.Item) error { used = append(used, item.Index); return nil },
		func(item dataset.Item, _ error) error { failed = append(failed, item.Index); return nil })
	return used, failed, err
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestLoopGoesOnPastBadInputs(t *testing.T) {
	used, failed, err := visit(context.Background(), Loop{Source: source{bad: []int{3}, broken: -1}, Indices: upTo(20), MaxFailures: .1})
	if !errors.Is(err, ErrSomeFailed) || len(used) != 19 || !slices.Equal(failed, []int{3}) {
		t.Errorf("used %v, failed %v, error %v", used, failed, err)
	}
}

func TestLoopStopsWhenTooManyFail(t *testing.T) {
	_, failed, err := visit(context.Background(), Loop{Source: source{bad: []int{0, 1, 2, 3, 4}, broken: -1}, Indices: upTo(20), MaxFailures: .1})
	if !errors.Is(err, errTooManyFailures) || len(failed) != 3 {
		t.Errorf("failed %v, error %v; the third of twenty passes a tenth", failed, err)
	}
	_, failed, err = visit(context.Background(), Loop{Source: source{bad: []int{7}, broken: -1}, Indices: upTo(20), MaxFailures: .1, Prior: 2})
	if !errors.Is(err, errTooManyFailures) || len(failed) != 1 {
		t.Errorf("failed %v, error %v; failures of the earlier run count", failed, err)
	}
}

func TestLoopSkipsWhatIsDone(t *testing.T) {
	used, _, err := visit(context.Background(), Loop{Source: source{broken: -1}, Indices: upTo(5), Done: func(i int) bool { return i != 3 }})
	if err != nil || !slices.Equal(used, []int{3}) {
		t.Errorf("used %v, error %v", used, err)
	}
}

func TestLoopReportsTheSourcesErrors(t *testing.T) {
	used, _, err := visit(context.Background(), Loop{Source: source{broken: 2}, Indices: upTo(5)})
	if !errors.Is(err, errBroken) || len(used) != 2 {
		t.Errorf("used %v, error %v", used, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if used, _, err = visit(ctx, Loop{Source: source{broken: -1}, Indices: upTo(5)}); !errors.Is(err, context.Canceled) || len(used) != 0 {
		t.Errorf("cancelled: used %v, error %v", used, err)
	}
}
