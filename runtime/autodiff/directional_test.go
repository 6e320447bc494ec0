package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// withFreeBatch makes the batch of a model symbolic, baked-in Reshape targets included.
func withFreeBatch(t testing.TB, m *onnx.Model) *onnx.Model {
	t.Helper()
	m, err := m.WithBatch(onnx.Sym("N"))
	if err != nil {
		t.Fatal(err)
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		for _, n := range p.Graph.Node {
			if n.GetOpType() != "Reshape" {
				continue
			}
			for i, it := range p.Graph.Initializer {
				if it.GetName() == n.Input[0] {
					break // a reshaped constant
				}
				if it.GetName() != n.Input[1] {
					continue
				}
				shape, serr := onnx.Int64s(it)
				if serr != nil {
					return serr
				}
				if len(shape) > 0 && shape[0] == 1 {
					shape[0] = -1
					if p.Graph.Initializer[i], serr = onnx.NewTensor(it.GetName(), it.Dims, shape); serr != nil {
						return serr
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// checkDirections compares the gradients of losses of m with central differences along 16 random
// directions, at the given batch: those of the graph for any runtime at batch 1, else of the one
// for the CPU provider.
func checkDirections(t *testing.T, rt *runtime.Runtime, m *onnx.Model, batch int64, losses ...string) {
	t.Helper()
	var ls []autodiff.Loss
	for _, name := range losses {
		l, err := autodiff.ParseLoss(name)
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
	}
	o := autodiff.DefaultCheckOptions()
	o.Batch, o.Plain, o.Seed = batch, batch == 1, uint64(batch)
	results, err := autodiff.CheckLosses(context.Background(), rt, withFreeBatch(t, m), o, ls...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Logf("batch %d, %s: median error %.1e, worst %.1e, undecided %d", batch, r.Loss, r.MedianRelativeError, r.MaxRelativeError, r.Undecided)
		if !(r.MedianRelativeError <= 1e-3 && r.MaxRelativeError <= 5e-3) {
			t.Errorf("batch %d, %s: median error %.2g, worst %.2g", batch, r.Loss, r.MedianRelativeError, r.MaxRelativeError)
		}
		if !(r.ValueError <= 1e-4) || r.Reference != "float64" || r.Directions != 16 {
			t.Errorf("batch %d, %s: %+v", batch, r.Loss, r)
		}
	}
}

func norm2(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n = math.Hypot(n, x)
	}
	return n
}

// crossEntropyRef is the mean cross-entropy of logits, or of probabilities.
func crossEntropyRef(y, labels []float64, classes int, probabilities bool) float64 {
	sum := 0.0
	for i, l := range labels {
		row := y[i*classes : (i+1)*classes]
		if probabilities {
			sum -= math.Log(row[int(l)])
			continue
		}
		if classes == 1 {
			z := row[0]
			if l == 1 {
				z = -z
			}
			sum += math.Log1p(math.Exp(-math.Abs(z))) + math.Max(z, 0)
			continue
		}
		top, total := slices.Max(row), 0.0
		for _, v := range row {
			total += math.Exp(v - top)
		}
		sum += top + math.Log(total) - row[int(l)]
	}
	return sum / float64(len(labels))
}

// TestCrossEntropyValue compares the loss of all heads with its definition.
func TestCrossEntropyValue(t *testing.T) {
	rt := runtimetest.Open(t)
	const batch = 3
	for head, classes := range subtest.Rows(map[string]int64{
		"logits": 4, "Softmax": 4, "LogSoftmax": 4, "one logit": 1, "one Sigmoid": 1,
		"clipped Softmax": 4, "Exp of LogSoftmax": 4, "Exp over its ReduceSum": 4,
	}) {
		t.Run(head, func(t *testing.T) {
			b := onnx.NewBuilder("head", 17)
			k := &maker{b: b, t: t, r: rng(31)}
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(5))
			y := b.Gemm(x, k.weight(1, 5, classes), k.weight(1, classes), false)
			logits := y
			switch head {
			case "one Sigmoid":
				y = b.Sigmoid(y)
			case "clipped Softmax":
				y = b.Clip(b.Identity(b.Softmax(y, 1)), b.Scalar(onnx.Float, 1e-7), b.Scalar(onnx.Float, 1))
			case "Exp of LogSoftmax":
				y = b.Exp(b.LogSoftmax(y, -1))
			case "Exp over its ReduceSum":
				e := b.Exp(b.Sub(y, b.Reduce("ReduceMax", y, true, 1)))
				y = b.Div(e, b.Sum(e, true, -1))
			case "Softmax", "LogSoftmax":
				y = b.Op(head, []onnx.Value{y}, onnx.Int("axis", 1))
			}
			b.OutputUntyped("before", b.Identity(logits))
			m := k.build(y, classes)
			labels := []float64{0, 1, float64(max(classes-1, 1))}
			feeds := map[string]value{"x": {dims: []int64{batch, 5}, data: normals(k.r, batch*5)}, "labels": {dims: []int64{batch}, data: labels}}
			for _, mean := range []bool{true, false} {
				loss := autodiff.DefaultCrossEntropy()
				loss.Sum = !mean
				g, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{Losses: []autodiff.Loss{loss}, Output: "logits"})
				if err != nil {
					t.Fatal(err)
				}
				out := newRunner(t, rt, g.Model, feeds, []string{"before", "loss"}, map[string][]int64{"before": {batch, classes}}).run(t)
				want := crossEntropyRef(out[0], labels, int(classes), false)
				if !mean {
					want *= batch
				}
				if got := out[1][0]; !(math.Abs(got-want) < 1e-5) || want == 0 {
					t.Errorf("%s, mean %v: loss %g, want %g", head, mean, got, want)
				}
			}
		})
	}
}

func TestSharedModels(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := filepath.Dir(shared.Path(t, "models", "zoo_mnist_8.onnx"))
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".onnx")
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			if name == "sklearn_randomforest" {
				checkForest(t, rt, m)
				return
			}
			for _, batch := range []int64{1, 16} {
				if batch > 1 && (testing.Short() || slow(name) && os.Getenv("UCAN_LONG") == "") {
					continue
				}
				t.Run(fmt.Sprint(batch), func(t *testing.T) {
					t.Parallel()
					losses := []string{"linear", "cross-entropy"}
					if strings.HasPrefix(name, "ucan_") { // generators have no classes
						losses = losses[:1]
					}
					checkDirections(t, rt, m, batch, losses...)
				})
			}
		})
	}
}

// slow tells the models whose check in float64 takes long at batch 16; set UCAN_LONG to run it.
func slow(name string) bool {
	for _, s := range []string{"mobilenet", "cifar10_resnet20", "ucan_"} {
		if strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}

// checkForest expects a model of trees to be refused with the operators that are in the way.
func checkForest(t *testing.T, rt *runtime.Runtime, m *onnx.Model) {
	t.Helper()
	_, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}, Output: "output_probability"})
	var missing *autodiff.MissingRulesError
	if !errors.As(err, &missing) {
		t.Fatalf("error %v, want missing rules", err)
	}
	if want := []string{"ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.ZipMap"}; !slices.Equal(missing.Operators(), want) {
		t.Errorf("missing %v, want %v", missing.Operators(), want)
	}
	if !strings.Contains(err.Error(), "TreeEnsembleClassifier") || strings.Contains(err.Error(), "\n") {
		t.Errorf("message %q", err)
	}
}
