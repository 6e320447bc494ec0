package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// rng returns a generator of fixed seed.
func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

// runner holds a session with tensors over slices that tests read and write.
type runner struct {
	sess *runtime.Session
	ins  []*runtime.Tensor
	outs []*runtime.Tensor
}

// value is a tensor of a test: its shape and its elements.
type value struct {
	dims []int64
	data []float64
}

// newRunner opens m with inputs of the given shapes; outputs lists the wanted ones with their
// shapes.
func newRunner(t testing.TB, rt *runtime.Runtime, m *onnx.Model, in map[string]value, outputs []string, shapes map[string][]int64) *runner {
	t.Helper()
	r, err := openRunner(rt, m, in, outputs, shapes, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close(t) })
	return r
}

func openRunner(rt *runtime.Runtime, m *onnx.Model, in map[string]value, outputs []string, shapes map[string][]int64, opts runtime.SessionOptions) (*runner, error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	opts.Outputs = outputs
	s, err := rt.NewSession(context.Background(), b, opts)
	if err != nil {
		return nil, err
	}
	r := &runner{sess: s}
	for _, d := range s.Inputs() {
		v, ok := in[d.Name]
		if !ok {
			return nil, fmt.Errorf("no value for input %q", d.Name)
		}
		t, err := tensorOf(rt, d.DType, v.dims)
		if err != nil {
			return nil, err
		}
		r.ins = append(r.ins, t)
		r.set(d.Name, v.data)
	}
	for _, d := range s.Outputs() {
		t, err := tensorOf(rt, d.DType, shapes[d.Name])
		if err != nil {
			return nil, err
		}
		r.outs = append(r.outs, t)
	}
	return r, nil
}

func tensorOf(rt *runtime.Runtime, dt onnx.DType, dims []int64) (*runtime.Tensor, error) {
	switch dt {
	case onnx.Float:
		return runtime.Empty[float32](rt, dims...)
	case onnx.Double:
		return runtime.Empty[float64](rt, dims...)
	case onnx.Int64:
		return runtime.Empty[int64](rt, dims...)
	case onnx.Bool:
		return runtime.Empty[bool](rt, dims...)
	}
	return nil, fmt.Errorf("no test tensors of type %v", dt)
}

func (r *runner) close(t testing.TB) {
	for _, x := range append(r.ins, r.outs...) {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := r.sess.Close(); err != nil {
		t.Error(err)
	}
}

// set writes an input.
func (r *runner) set(name string, v []float64) {
	for i, d := range r.sess.Inputs() {
		if d.Name != name {
			continue
		}
		if f := runtime.Data[float32](r.ins[i]); f != nil {
			for j, x := range v {
				f[j] = float32(x)
			}
		}
		if f := runtime.Data[float64](r.ins[i]); f != nil {
			copy(f, v)
		}
		if f := runtime.Data[int64](r.ins[i]); f != nil {
			for j, x := range v {
				f[j] = int64(x)
			}
		}
		if f := runtime.Data[bool](r.ins[i]); f != nil {
			for j, x := range v {
				f[j] = x != 0
			}
		}
	}
}

// run executes the session and returns the outputs as float64, in order.
func (r *runner) run(t testing.TB) [][]float64 {
	t.Helper()
	if err := r.sess.Run(context.Background(), r.ins, r.outs); err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(r.outs))
	for i, o := range r.outs {
		if f := runtime.Data[float32](o); f != nil {
			for _, x := range f {
				out[i] = append(out[i], float64(x))
			}
		} else {
			out[i] = append(out[i], runtime.Data[float64](o)...)
		}
	}
	return out
}

// normals returns n draws from the standard normal distribution.
func normals(r *rand.Rand, n int64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = r.NormFloat64()
	}
	return out
}

func elements(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

func relDiff(a, b float64) float64 {
	return math.Abs(a-b) / math.Max(1e-3, math.Max(math.Abs(a), math.Abs(b)))
}

type rtType = runtime.Runtime

type randSource = *rand.Rand

// outputDims runs m and returns the dimensions of its output y.
func outputDims(t testing.TB, eng autodiff.Engine, m *onnx.Model, feeds map[string]value) []int64 {
	t.Helper()
	return outputDimsOf(t, eng, m, feeds, "y")
}

// outputDimsOf runs m and returns the dimensions of the named output.
func outputDimsOf(t testing.TB, eng autodiff.Engine, m *onnx.Model, feeds map[string]value, name string) []int64 {
	t.Helper()
	var ts []*onnxpb.TensorProto
	for _, in := range m.Inputs() {
		v := feeds[in.Name]
		var p *onnxpb.TensorProto
		var err error
		switch in.Type {
		case onnx.Double:
			p, err = onnx.NewTensor(in.Name, v.dims, v.data)
		case onnx.Int64:
			d := make([]int64, len(v.data))
			for i, x := range v.data {
				d[i] = int64(x)
			}
			p, err = onnx.NewTensor(in.Name, v.dims, d)
		default:
			f := make([]float32, len(v.data))
			for i, x := range v.data {
				f[i] = float32(x)
			}
			p, err = onnx.NewTensor(in.Name, v.dims, f)
		}
		if err != nil {
			t.Fatal(err)
		}
		ts = append(ts, p)
	}
	out, err := eng.Eval(context.Background(), m, ts)
	if err != nil {
		t.Fatal(err)
	}
	return out[name].GetDims()
}
