package models

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

const checkDim, checkClasses = 5, 3

// trialModel is a linear classifier whose prepared graph was tampered with, as a kernel that mixes
// rows would: Open never saw that.
func trialModel(t *testing.T, tamper func(b *onnx.Builder, x, s onnx.Value) onnx.Value) *Model {
	t.Helper()
	build := func(input, label, scores string, tamper func(b *onnx.Builder, x, s onnx.Value) onnx.Value) *onnx.Model {
		b := onnx.NewBuilder("g", 17)
		x := b.Input(input, onnx.Float, onnx.Sym("N"), onnx.Fixed(checkDim))
		rng := rand.New(rand.NewPCG(3, 9))
		w := make([]float32, checkDim*checkClasses)
		for i := range w {
			w[i] = float32(rng.NormFloat64())
		}
		s := b.MatMul(x, onnx.Tensor(b, "w", []int64{checkDim, checkClasses}, w))
		if tamper != nil {
			s = tamper(b, x, s)
		}
		if label != "" {
			b.Output(label, b.Cast(b.Op("ArgMax", []onnx.Value{s}, onnx.Int("axis", 1), onnx.Int("keepdims", 0)), onnx.Int32), onnx.Int32, onnx.Sym("N"))
		}
		b.Output(scores, s, onnx.Float, onnx.Sym("N"), onnx.Fixed(checkClasses))
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	file, err := build("x", "", "y", nil).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenBytes(context.Background(), runtimetest.Open(t), "linear", file, Options{SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	m.fixedBatch = 0
	m.graph = build(rewrite.InputName, rewrite.LabelName, rewrite.ScoresName, tamper)
	if m.bytes, err = m.graph.Marshal(); err != nil {
		t.Fatal(err)
	}
	return m
}

// checkBatches are noisy rows of a few inputs, all of their values positive in the mean, as pixels
// are.
func checkBatches(inputs, size int) [][]float32 {
	rng := rand.New(rand.NewPCG(5, uint64(size)))
	var out [][]float32
	for range inputs {
		x := make([]float32, checkDim)
		for i := range x {
			x[i] = rng.Float32()
		}
		rows := make([]float32, 0, size*checkDim)
		for range size {
			for _, v := range x {
				rows = append(rows, v+0.25*float32(rng.NormFloat64()))
			}
		}
		out = append(out, rows)
	}
	return out
}

// TestRowCheck tampers with a sound model in the ways of kernels that look at more than the row.
func TestRowCheck(t *testing.T) {
	scalar := func(b *onnx.Builder, v float64) onnx.Value { return b.Scalar(onnx.Float, v) }
	bump := func(b *onnx.Builder) onnx.Value {
		return onnx.Tensor(b, "bump", []int64{1, checkClasses}, []float32{0, 0, 100})
	}
	rows := func(b *onnx.Builder, x onnx.Value) onnx.Value { // the number of rows, as a float
		return b.Cast(b.Gather(b.Shape(x), b.Ints(0), 0), onnx.Float)
	}
	place := func(b *onnx.Builder, x onnx.Value) onnx.Value { // 1, 2, … one a row
		first := b.Slice(x, []int64{0}, []int64{1}, []int64{1}, []int64{1})
		ones := b.Add(b.Mul(first, scalar(b, 0)), scalar(b, 1))
		return b.Op("CumSum", []onnx.Value{ones, b.Int64(0)})
	}
	gate := func(b *onnx.Builder, cond, s onnx.Value) onnx.Value { return b.Where(cond, b.Add(s, bump(b)), s) }
	for _, tt := range []struct {
		name   string
		size   int
		tamper func(b *onnx.Builder, x, s onnx.Value) onnx.Value
		want   string // "" for a sound model
		inside string
	}{
		{"sound", 37, nil, "", "bit for bit"},
		{"sound, one row a call", 1, nil, "", "one row a call"},
		{"sound, two rows", 2, nil, "", "batches of 2"},
		{"the sum of the batch is large", 512, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return gate(b, b.Greater(b.Sum(x, false, 0, 1), scalar(b, 200)), s)
		}, "at batch 512", ""},
		{"the sum of the batch is small", 64, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return gate(b, b.Less(b.Sum(x, false, 0, 1), scalar(b, 1)), s)
		}, "other rows of the batch", ""},
		{"a row of zeros anywhere", 9, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			least := b.Reduce("ReduceMin", b.Sum(b.Abs(x), false, 1), false, 0)
			return gate(b, b.Less(least, scalar(b, 1e-6)), s)
		}, "other rows of the batch", ""},
		{"a large value anywhere", 130, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return gate(b, b.Greater(b.Reduce("ReduceMax", x, false, 0, 1), scalar(b, 30)), s)
		}, "other rows of the batch", ""},
		{"a millionth of the mean", 17, func(b *onnx.Builder, _, s onnx.Value) onnx.Value {
			return b.Add(s, b.Mul(b.Mean(s, true, 0), scalar(b, 1e-6)))
		}, "other rows of the batch", ""},
		{"the row before", 24, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			padded := b.Pad(s, 1, 0, 0, 0)
			return b.Add(s, b.Slice(padded, []int64{0}, []int64{-1}, []int64{0}, []int64{1}))
		}, "other rows of the batch", ""},
		{"the place", 20, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return b.Add(s, b.Mul(place(b, x), scalar(b, 0.1)))
		}, "place in the batch", ""},
		{"the last place", 6, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return gate(b, b.Equal(place(b, x), rows(b, x)), s)
		}, "place in the batch", ""},
		{"more than 300 rows", 320, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return gate(b, b.Greater(rows(b, x), scalar(b, 300)), s)
		}, "batch of 320 is another than for the row alone", ""},
		{"chance", 8, func(b *onnx.Builder, _, s onnx.Value) onnx.Value {
			return b.Add(s, b.Mul(b.Op("RandomNormalLike", []onnx.Value{s}), scalar(b, 1e-4)))
		}, "votes would not be independent", ""},
		{"chance, one row a call", 1, func(b *onnx.Builder, _, s onnx.Value) onnx.Value {
			return b.Add(s, b.Op("RandomNormalLike", []onnx.Value{s}))
		}, "from one run to the next", ""},
		{"rounding by the place", 50, func(b *onnx.Builder, x, s onnx.Value) onnx.Value {
			return b.Mul(s, b.Add(b.Mul(place(b, x), scalar(b, 1e-7)), scalar(b, 1)))
		}, "", "between positions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := trialModel(t, tt.tamper)
			c, err := m.Classifier(t.Context(), tt.size, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if cerr := c.Close(); cerr != nil {
					t.Error(cerr)
				}
			}()
			batches := checkBatches(3, tt.size)
			check, err := m.CheckRows(t.Context(), batches, 1, []Session{c})
			var refusal *Refusal
			switch {
			case tt.want != "":
				if !errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s, error %v; want a refusal with %q", check, err, tt.want)
				}
			case err != nil:
				t.Error(err)
			case !strings.Contains(check.String(), tt.inside):
				t.Errorf("%q does not say %q", check, tt.inside)
			case check.Batch != tt.size || check.Inputs != 3 || check.Batches < 6 || check.Batches > 12:
				t.Errorf("%+v", check)
			}
			if again, err2 := m.CheckRows(t.Context(), batches, 1, nil); tt.want == "" && (err2 != nil || again != check) {
				t.Errorf("the second time %+v, %v; first %+v", again, err2, check)
			}
		})
	}
}

// liar is a session that calls one row something else.
type liar struct {
	*Classifier
	row int
}

func (l liar) Classify(ctx context.Context, rows int) ([]int32, error) {
	labels, err := l.Classifier.Classify(ctx, rows)
	labels[l.row] = (labels[l.row] + 1) % checkClasses
	return labels, err
}

func TestRowCheckComparesSessions(t *testing.T) {
	m := trialModel(t, nil)
	c, err := m.Classifier(t.Context(), 11, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var refusal *Refusal
	if _, err = m.CheckRows(t.Context(), checkBatches(2, 11), 1, []Session{c, liar{c, 7}}); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "two sessions") {
		t.Errorf("error %v; want a refusal", err)
	}
}
