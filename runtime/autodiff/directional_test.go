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
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// withFreeBatch makes the batch of a model symbolic, baked-in Reshape targets
// included.
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

// checkDirections compares the gradients of m, by its one real input, with
// central differences along 16 random directions, at the given batch.
func checkDirections(t *testing.T, rt *runtime.Runtime, m *onnx.Model, batch int64, lossName string) {
	t.Helper()
	ctx := context.Background()
	loss, err := autodiff.ParseLoss(lossName)
	if err != nil {
		t.Fatal(err)
	}
	eng := autodiff.OnRuntime(rt)
	m = withFreeBatch(t, m)
	g, err := autodiff.Differentiate(ctx, eng, m, autodiff.Options{Losses: []autodiff.Loss{loss}})
	if err != nil {
		t.Fatal(err)
	}
	in := m.Inputs()[0]
	xdims := []int64{batch}
	for _, d := range in.Shape[1:] {
		xdims = append(xdims, d.Size)
	}
	r := rng(uint64(batch))
	x := make([]float64, elements(xdims))
	for i := range x {
		x[i] = float64(float32(r.Float64()))
	}
	feeds := map[string]value{in.Name: {dims: xdims, data: x}}
	out := m.Outputs()[0].Name
	ydims := outputDimsOf(t, eng, m, feeds, out)
	dm, err := autodiff.InDouble(ctx, eng, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	fr := newRunner(t, rt, dm, feeds, []string{out}, map[string][]int64{out: ydims})
	logits := fr.run(t)[0]
	classes := int(elements(ydims) / batch)

	// The loss in float64, from the logits.
	var eval func(y []float64) float64
	if lossName == "linear" {
		w := normals(r, elements(ydims))
		feeds["weights"] = value{dims: ydims, data: w}
		eval = func(y []float64) float64 {
			sum := 0.0
			for i, v := range y {
				sum += float64(float32(w[i])) * v
			}
			return sum
		}
	} else {
		// Labels that are not the most probable class: there the loss is not
		// saturated.
		labels := make([]float64, batch)
		for i := range labels {
			row := logits[i*classes : (i+1)*classes]
			labels[i] = float64((slices.Index(row, slices.Max(row)) + 1 + i%max(classes-1, 1)) % classes)
		}
		feeds["labels"] = value{dims: []int64{batch}, data: labels}
		probabilities := endsInSoftmax(m)
		eval = func(y []float64) float64 { return crossEntropyRef(y, labels, classes, probabilities) }
	}
	gout := g.Output(loss.Name(), in.Name)
	gr := newRunner(t, rt, g.Model, feeds, []string{loss.Name(), gout}, map[string][]int64{gout: xdims})
	res := gr.run(t)
	if want := eval(logits); math.Abs(res[0][0]-want) > 1e-4*(1+math.Abs(want)) {
		t.Errorf("loss is %g, reference %g", res[0][0], want)
	}
	worst, all := directionErrors(t, rng(99), x, res[1], func(x []float64) float64 {
		fr.set(in.Name, x)
		return eval(fr.run(t)[0])
	})
	slices.Sort(all)
	if median := all[len(all)/2]; median > 1e-3 || worst > 5e-3 {
		t.Errorf("batch %d, %s: median error %.2g, worst %.2g", batch, lossName, median, worst)
	}
}

// directionErrors returns the worst and all relative errors of g·v against
// central differences of f along 16 directions v, each at the best of a sweep
// of steps.
func directionErrors(t *testing.T, r randSource, x, g []float64, f func([]float64) float64) (worst float64, all []float64) {
	t.Helper()
	norm := norm2(g)
	for range 16 {
		v := normals(r, int64(len(x)))
		dot := 0.0
		for i := range v {
			dot += g[i] * v[i]
		}
		best := math.Inf(1)
		for _, h := range []float64{1e-8, 1e-6, 1e-4, 1e-3, 1e-2} {
			at := func(s float64) float64 {
				out := make([]float64, len(x))
				for i := range x {
					out[i] = x[i] + s*v[i]
				}
				return f(out)
			}
			want := (at(h) - at(-h)) / (2 * h)
			// g·v is normal with deviation ‖g‖, its typical size. Where it
			// happens to be smaller, what is left are Relus whose sign
			// rounding to float32 decides, so a tenth of ‖g‖ bounds the scale.
			// The smallest step is below most distances to such kinks.
			scale := math.Max(math.Max(math.Abs(dot), math.Abs(want)), norm/10)
			best = math.Min(best, math.Abs(dot-want)/scale)
			if norm < 1e-4 && math.Abs(dot-want) < 1e-5 {
				best = 0 // flat, or saturated beyond what float32 resolves in 1−tanh²
			}
			if best < 1e-4 {
				break
			}
		}
		worst = math.Max(worst, best)
		all = append(all, best)
	}
	return worst, all
}

func norm2(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n = math.Hypot(n, x)
	}
	return n
}

func endsInSoftmax(m *onnx.Model) bool {
	n := m.Nodes()
	return n[len(n)-1].GetOpType() == "Softmax"
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
					checkDirections(t, rt, m, batch, "linear")
					if !strings.HasPrefix(name, "ucan_") { // generators have no classes
						checkDirections(t, rt, m, batch, "cross-entropy")
					}
				})
			}
		})
	}
}

// slow tells the models whose check in float64 takes long at batch 16; set
// UCAN_LONG to run it.
func slow(name string) bool {
	for _, s := range []string{"mobilenet", "cifar10_resnet", "cifar_biasfield", "oval21_cifar", "ucan_"} {
		if strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}

// checkForest expects a model of trees to be refused with the operators that
// are in the way.
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
