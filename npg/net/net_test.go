package net_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"ucan/npg"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
	"ucan/smooth/stream"
)

// model exports the generator with its first weights.
func model(t *testing.T, n *net.Net) *onnx.Model {
	t.Helper()
	values := map[string][]float32{}
	for _, w := range n.Weights() {
		values[w.Name] = w.Values
	}
	m, err := n.Export(values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func config(kind npg.Kind, basis net.Basis, hold net.Hold, muScale float64) net.Config {
	return net.Config{
		Kind: kind, Basis: basis, Shape: []int{2, 7, 6}, Floor: 0.1, Ceiling: 0.9, Start: 0.2, Hold: hold, MuScale: muScale, Seed: 9,
	}
}

func configs() []net.Config {
	return []net.Config{
		config(npg.KindCertification, net.Pixel, net.HoldNothing, 0.5), config(npg.KindCertification, net.Pixel, net.HoldMean, 0),
		config(npg.KindDataset, net.Pixel, net.HoldNothing, 0.5), config(npg.KindDataset, net.DCT, net.HoldLogMean, 0),
		config(npg.KindPattern, net.Pixel, net.HoldNothing, 0), config(npg.KindPattern, net.DCT, net.HoldNothing, 0),
	}
}

func TestFirstWeightsGiveTheStart(t *testing.T) {
	t.Parallel()
	for _, c := range configs() {
		n := newNet(t, c)
		out := run(t, model(t, n), c, images(3, c.Dim()))
		for _, s := range out[net.Sigma] {
			// Last layers are small, not zero; patterns begin with a growth of 2 and more towards a
			// corner.
			if float64(s) < c.Start*0.5 || float64(s) > c.Start*2.01 {
				t.Errorf("%s in %s starts with a scale of %v, far from %v", c.Kind, c.Basis, s, c.Start)
				break
			}
		}
		if c.Kind != npg.KindPattern && constant(out[net.Sigma]) {
			t.Errorf("%s in %s starts with a constant field: nothing tells coordinates apart", c.Kind, c.Basis)
		}
		if (c.MuScale > 0) != (out[net.Mu] != nil) {
			t.Errorf("%s with mu scale %v has an offset of %d values", c.Kind, c.MuScale, len(out[net.Mu]))
		}
	}
}

// TestBounds drives the weights to extremes: the scale stays within floor and ceiling all the same,
// and finite.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range configs() {
		n := newNet(t, c)
		for _, factor := range []float32{-1e4, 40, 1e4} {
			values := map[string][]float32{}
			for _, w := range n.Weights() {
				for i := range w.Values {
					w.Values[i] *= factor
				}
				values[w.Name] = w.Values
			}
			m, err := n.Export(values)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range run(t, m, c, images(2, c.Dim()))[net.Sigma] {
				if !(float64(s) >= c.Floor && float64(s) <= c.Ceiling) {
					t.Fatalf("%s in %s, weights times %v: a scale of %v leaves [%v, %v]", c.Kind, c.Basis, factor, s, c.Floor, c.Ceiling)
				}
			}
		}
	}
}

// TestHold spreads the last layers over several units of z: the held mean of every single input
// stays at the target.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, kind := range []npg.Kind{npg.KindCertification, npg.KindDataset} {
		for _, hold := range []net.Hold{net.HoldMean, net.HoldLogMean} {
			c := config(kind, net.Pixel, hold, 0)
			n := newNet(t, c)
			for _, factor := range []float32{0, 1, 10, 30} {
				values := map[string][]float32{}
				for _, w := range n.Weights() {
					if strings.HasSuffix(w.Name, "last.weight") {
						for i := range w.Values {
							w.Values[i] *= factor
						}
					}
					values[w.Name] = w.Values
				}
				m, err := n.Export(values)
				if err != nil {
					t.Fatal(err)
				}
				sigma := run(t, m, c, images(4, c.Dim()))[net.Sigma]
				for i := range 4 {
					if got := mean(sigma[i*c.Dim():(i+1)*c.Dim()], hold); math.Abs(got/c.Start-1) > 1e-3 {
						t.Errorf("%s, %s held, last weights times %v: the mean of input %d is %v, not %v", kind, hold, factor, i, got, c.Start)
					}
				}
			}
		}
	}
}

func mean(s []float32, hold net.Hold) float64 {
	total := 0.0
	for _, v := range s {
		if hold == net.HoldLogMean {
			total += math.Log(float64(v))
		} else {
			total += float64(v)
		}
	}
	total /= float64(len(s))
	if hold == net.HoldLogMean {
		return math.Exp(total)
	}
	return total
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	for _, c := range configs() {
		a, b := marshal(t, model(t, newNet(t, c))), marshal(t, model(t, newNet(t, c)))
		if !bytes.Equal(a, b) {
			t.Errorf("%s in %s: the same seed gives other bytes", c.Kind, c.Basis)
		}
		n := newNet(t, c)
		values := map[string][]float32{}
		for _, w := range n.Weights() {
			values[w.Name] = w.Values
		}
		m, err := n.Export(values)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, marshal(t, m)) {
			t.Errorf("%s in %s: exporting the first weights changes bytes", c.Kind, c.Basis)
		}
		c.Seed++
		if c.Kind != npg.KindPattern && bytes.Equal(a, marshal(t, model(t, newNet(t, c)))) {
			t.Errorf("%s in %s: another seed gives the same bytes", c.Kind, c.Basis)
		}
	}
}

// TestTrainingIsTheSameFunction compares the form for training with the one that is exported, at
// weights far from the first.
func TestTrainingIsTheSameFunction(t *testing.T) {
	t.Parallel()
	for _, shape := range [][]int{{1, 7, 5}, {1, 28, 28}, {3, 6, 8}} {
		for _, muScale := range []float64{0, 0.5} {
			c := config(npg.KindCertification, net.Pixel, net.HoldNothing, muScale)
			c.Shape = shape
			n := newNet(t, c)
			source := stream.New(2, [32]byte{}, stream.NPG).Source(0)
			var weights []*onnxpb.TensorProto
			for _, w := range n.Weights() {
				source.NormalInto(w.Values)
				for i := range w.Values {
					w.Values[i] /= 12 // of 16 maps by 9 positions, the root
				}
				tensor, err := onnx.NewTensor(w.Name, w.Shape, w.Values)
				if err != nil {
					t.Fatal(err)
				}
				weights = append(weights, tensor)
			}
			x := images(3, c.Dim())
			var outs [2]map[string][]float32
			for i, form := range []*onnx.Model{model(t, n), n.Training()} {
				m, err := form.WithInitializers(weights...)
				if err != nil {
					t.Fatal(err)
				}
				outs[i] = run(t, m, c, x)
			}
			for name, want := range outs[0] {
				if constant(want) {
					t.Errorf("%s of %v does not depend on anything", name, shape)
				}
				for i, v := range want {
					if got := outs[1][name][i]; math.Abs(float64(got-v)) > 1e-5*(math.Abs(float64(v))+0.1) {
						t.Fatalf("%s of %v at %d: %v in training, %v exported", name, shape, i, got, v)
					}
				}
			}
		}
	}
}

// TestDatasetIgnoresTheInput is why its noise may be deployed.
func TestDatasetIgnoresTheInput(t *testing.T) {
	t.Parallel()
	c := config(npg.KindDataset, net.Pixel, net.HoldNothing, 0.5)
	out := run(t, model(t, newNet(t, c)), c, images(3, c.Dim()))
	for _, name := range []string{net.Mu, net.Sigma} {
		for i := range out[name] {
			if out[name][i] != out[name][i%c.Dim()] {
				t.Fatalf("%s differs from input to input at coordinate %d", name, i%c.Dim())
			}
		}
	}
}

func TestValidateNamesTheFault(t *testing.T) {
	good := config(npg.KindCertification, net.Pixel, net.HoldNothing, 0)
	for _, c := range []struct {
		want string
		edit func(*net.Config)
	}{
		{"kind", func(c *net.Config) { c.Kind = "other" }},
		{"basis", func(c *net.Config) { c.Basis = "haar" }},
		{"in pixels", func(c *net.Config) { c.Basis = net.DCT }},
		{"not images", func(c *net.Config) { c.Shape = []int{30} }},
		{"floor", func(c *net.Config) { c.Floor = 0 }},
		{"floor", func(c *net.Config) { c.Ceiling = math.Inf(1) }},
		{"start", func(c *net.Config) { c.Start = 0.1 }},
		{"mu scale", func(c *net.Config) { c.MuScale = math.NaN() }},
		{"mean", func(c *net.Config) { c.Hold = "median" }},
		{"offset", func(c *net.Config) { c.Kind, c.MuScale = npg.KindPattern, 1 }},
	} {
		bad := good
		c.edit(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("the fault %q is reported as %v", c.want, err)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func newNet(t *testing.T, c net.Config) *net.Net {
	t.Helper()
	n, err := net.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func marshal(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func constant(v []float32) bool {
	for _, x := range v {
		if x != v[0] {
			return false
		}
	}
	return true
}

func images(rows, dim int) []float32 {
	source := stream.New(2, [32]byte{}, stream.NPG).Source(0)
	x := make([]float32, rows*dim)
	source.UniformInto(x)
	return x
}

// run evaluates a generator.
func run(t *testing.T, m *onnx.Model, c net.Config, x []float32) map[string][]float32 {
	t.Helper()
	rt := runtimetest.Open(t)
	s, err := rt.NewSession(context.Background(), marshal(t, m), runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dims := []int64{int64(len(x) / c.Dim())}
	for _, d := range c.Shape {
		dims = append(dims, int64(d))
	}
	in, err := runtime.NewTensor(rt, dims, x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var outs []*runtime.Tensor
	for _, o := range s.Outputs() {
		if fmt.Sprint(o.Dims[1:]) != fmt.Sprint(dims[1:]) {
			t.Errorf("output %v is not of the input's shape", o)
		}
		u, err := runtime.NewTensor(rt, dims, make([]float32, len(x)))
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		outs = append(outs, u)
	}
	if err := s.Run(context.Background(), []*runtime.Tensor{in}, outs); err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for i, o := range s.Outputs() {
		out[o.Name] = runtime.Data[float32](outs[i])
	}
	return out
}
