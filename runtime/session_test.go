package runtime_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// one is the single-threaded CPU, which every test here wants.
func one() runtime.SessionOptions { return runtime.SessionOptions{IntraOp: 1} }

func newSession(t testing.TB, rt *runtime.Runtime, model []byte, o runtime.SessionOptions) *runtime.Session {
	t.Helper()
	s, err := rt.NewSession(t.Context(), model, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newTensor[T onnx.Element](t testing.TB, rt *runtime.Runtime, shape []int64, data []T) *runtime.Tensor {
	t.Helper()
	x, err := runtime.NewTensor(rt, shape, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func list(t ...*runtime.Tensor) []*runtime.Tensor { return t }

// identity is y = Identity(x).
func identity(dtype onnx.DType, dims ...int64) []byte {
	return runtime.MakeGraph(
		[][]byte{runtime.MakeNode("Identity", "y", "x")},
		[][]byte{runtime.MakeValue("x", dtype, dims...)},
		[][]byte{runtime.MakeValue("y", dtype, dims...)},
	)
}

func TestRunUsesTheCallersMemory(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, runtime.TinyModel(), one())
	in, out := slices.Clone(runtime.TinyInput()), make([]float32, 4)
	x, y := newTensor(t, rt, []int64{2, 3}, in), newTensor(t, rt, []int64{2, 2}, out)
	if err := s.Run(t.Context(), list(x), list(y)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out, runtime.TinyOutput()) {
		t.Errorf("got %v, want %v in the caller's slice", out, runtime.TinyOutput())
	}
	// The next input is written into the same slice: (0,1,0)·W = (2,0).
	copy(in, []float32{0, 1, 0, 0, 1, 0})
	if err := s.Run(t.Context(), list(x), list(y)); err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, 0, 2, 0}; !slices.Equal(out, want) {
		t.Errorf("got %v, want %v", out, want)
	}
	if &runtime.Data[float32](y)[0] != &out[0] {
		t.Error("Data is not the caller's slice")
	}
	if runtime.Data[int32](y) != nil {
		t.Error("Data of another type is not nil")
	}
}

func TestSessionDescribesItself(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, runtime.TinyModel(), one())
	if got := fmt.Sprint(s.Inputs(), s.Outputs()); got != "[x float[2,3]] [y float[2,2]]" {
		t.Errorf("described as %s", got)
	}
	if s.Provider() != "cpu" || s.Fallbacks() != nil {
		t.Errorf("ran on %q with %v", s.Provider(), s.Fallbacks())
	}
	d := newSession(t, rt, identity(onnx.Float, -1, 3), one())
	if got := d.Inputs()[0]; got.String() != "x float[N,3]" || got.Dims[0] != -1 {
		t.Errorf("open batch described as %s, %v", got, got.Dims)
	}
}

func roundTrip[T interface {
	onnx.Element
	comparable
}](values ...T) func(*testing.T, *runtime.Runtime) {
	return func(t *testing.T, rt *runtime.Runtime) {
		n := int64(len(values))
		out := make([]T, n)
		s := newSession(t, rt, identity(onnx.DTypeOf[T](), n), one())
		x, y := newTensor(t, rt, []int64{n}, values), newTensor(t, rt, []int64{n}, out)
		if err := s.Run(t.Context(), list(x), list(y)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(values, out) {
			t.Errorf("got %v, want %v", out, values)
		}
	}
}

func TestElementTypes(t *testing.T) {
	rt := runtimetest.Open(t)
	for name, f := range subtest.Rows(map[string]func(*testing.T, *runtime.Runtime){
		"float32": roundTrip[float32](0, -1.5, math.MaxFloat32),
		"float64": roundTrip[float64](0, -1.5, math.MaxFloat64),
		"float16": roundTrip[onnx.Half](0x3c00, 0xc000, 0x7bff), // 1, −2, 65504
		"uint8":   roundTrip[uint8](0, 128, 255),
		"int8":    roundTrip[int8](0, -128, 127),
		"int32":   roundTrip[int32](0, -1, math.MaxInt32),
		"int64":   roundTrip[int64](0, -1, math.MaxInt64),
		"bool":    roundTrip(true, false),
	}) {
		t.Run(name, func(t *testing.T) { f(t, rt) })
	}
}

func TestScalars(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, identity(onnx.Float), one())
	in, out := []float32{1}, []float32{0}
	x, y := newTensor(t, rt, nil, in), newTensor(t, rt, nil, out)
	for _, v := range []float32{1, 2.5, -3} {
		in[0] = v
		if err := s.Run(t.Context(), list(x), list(y)); err != nil {
			t.Fatal(err)
		}
		if out[0] != v {
			t.Errorf("got %v, want %v", out[0], v)
		}
	}
	if _, err := runtime.NewTensor(rt, nil, []onnx.Half{1}); !errors.Is(err, runtime.ErrTensor) {
		t.Errorf("a float16 scalar is refused with %v", err)
	}
}

func TestOpenBatch(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, identity(onnx.Float, -1, 2), one())
	for _, n := range []int64{1, 7, 0} {
		in, out := make([]float32, 2*n), make([]float32, 2*n)
		for i := range in {
			in[i] = float32(i)
		}
		x, y := newTensor(t, rt, []int64{n, 2}, in), newTensor(t, rt, []int64{n, 2}, out)
		if err := s.Run(t.Context(), list(x), list(y)); err != nil {
			t.Fatalf("batch %d: %v", n, err)
		}
		if !slices.Equal(in, out) {
			t.Errorf("batch %d: got %v", n, out)
		}
	}
}

func TestRunRefusesWhatDoesNotFit(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, runtime.TinyModel(), one())
	x := newTensor(t, rt, []int64{2, 3}, make([]float32, 6))
	y := newTensor(t, rt, []int64{2, 2}, make([]float32, 4))
	closed, err := runtime.Empty[float32](rt, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closed.Close(), closed.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	open := newSession(t, rt, identity(onnx.Float, -1, 2), one())
	for name, c := range subtest.Rows(map[string]struct {
		s       *runtime.Session
		in, out []*runtime.Tensor
		want    error
	}{
		"no input":       {s, nil, list(y), runtime.ErrTensor},
		"nil input":      {s, list(nil), list(y), runtime.ErrTensor},
		"nil output":     {s, list(x), list(nil), runtime.ErrTensor},
		"two outputs":    {s, list(x), list(y, y), runtime.ErrTensor},
		"wrong shape":    {s, list(y), list(y), runtime.ErrTensor},
		"wrong rank":     {s, list(newTensor(t, rt, []int64{6}, make([]float32, 6))), list(y), runtime.ErrTensor},
		"wrong type in":  {s, list(newTensor(t, rt, []int64{2, 3}, make([]float64, 6))), list(y), runtime.ErrTensor},
		"wrong type out": {s, list(x), list(newTensor(t, rt, []int64{2, 2}, make([]int32, 4))), runtime.ErrTensor},
		"closed tensor":  {s, list(x), list(closed), runtime.ErrClosed},
		// Only onnxruntime knows that these do not go together.
		"batches differ": {
			open, list(newTensor(t, rt, []int64{3, 2}, make([]float32, 6))),
			list(newTensor(t, rt, []int64{2, 2}, make([]float32, 4))), nil,
		},
	}) {
		t.Run(name, func(t *testing.T) {
			err := c.s.Run(t.Context(), c.in, c.out)
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		})
	}
	// None of that spoils the session, or keeps a tensor busy.
	if err := s.Run(t.Context(), list(x), list(y)); err != nil {
		t.Error(err)
	}
}

func TestTensorShapes(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, shape := range [][]int64{{2}, {-1}, {1 << 32, 1<<32 + 1}, {math.MaxInt64}, {0, -1}} {
		if _, err := runtime.NewTensor(rt, shape, []float32{1}); !errors.Is(err, runtime.ErrTensor) {
			t.Errorf("shape %v over one value: %v", shape, err)
		}
		if _, err := runtime.Empty[float32](rt, shape...); shape[0] != 2 && !errors.Is(err, runtime.ErrTensor) {
			t.Errorf("empty of shape %v: %v", shape, err)
		}
	}
	if _, err := runtime.NewTensor(nil, []int64{1}, []float32{1}); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("without a runtime: %v", err)
	}
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	rt := runtimetest.Open(t)
	s := newSession(t, rt, runtime.TinyModel(), one())
	x := newTensor(t, rt, []int64{2, 3}, make([]float32, 6))
	y := newTensor(t, rt, []int64{2, 2}, make([]float32, 4))
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Run(t.Context(), list(x), list(y)); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("run after close: %v", err)
	}
	other, err := runtime.Open(t.Context(), runtime.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Close(), other.Close()); err != nil {
		t.Error(err)
	}
	if _, err := other.NewSession(t.Context(), runtime.TinyModel(), one()); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("session of a closed runtime: %v", err)
	}
	var none *runtime.Runtime
	if _, err := none.NewSession(t.Context(), runtime.TinyModel(), one()); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("session of no runtime: %v", err)
	}
}

func TestOutputsCanBeChosen(t *testing.T) {
	rt := runtimetest.Open(t)
	model := runtime.MakeGraph(
		[][]byte{runtime.MakeNode("Neg", "a", "x"), runtime.MakeNode("Abs", "b", "x")},
		[][]byte{runtime.MakeValue("x", onnx.Float, 1)},
		[][]byte{runtime.MakeValue("a", onnx.Float, 1), runtime.MakeValue("b", onnx.Float, 1)})
	o := one()
	o.Outputs = []string{"b"}
	s := newSession(t, rt, model, o)
	out := []float32{0}
	if err := s.Run(t.Context(), list(newTensor(t, rt, []int64{1}, []float32{-2})), list(newTensor(t, rt, []int64{1}, out))); err != nil {
		t.Fatal(err)
	}
	if out[0] != 2 {
		t.Errorf("output b is %v", out[0])
	}
	o.Outputs = []string{"c"}
	if _, err := rt.NewSession(t.Context(), model, o); !errors.Is(err, runtime.ErrOptions) || !strings.Contains(err.Error(), `"a", "b"`) {
		t.Errorf("an unknown output: %v", err)
	}
}

func TestOutputTypesAreInferredWhereTheFileIsSilent(t *testing.T) {
	rt := runtimetest.Open(t)
	untyped := []byte{0x0a, 1, 'y'} // ValueInfoProto with a name alone
	model := runtime.MakeGraph([][]byte{runtime.MakeNode("Shape", "y", "x")},
		[][]byte{runtime.MakeValue("x", onnx.Float, 2, 5)}, [][]byte{untyped})
	s := newSession(t, rt, model, one())
	if got := s.Outputs()[0].String(); got != "y int64[2]" {
		t.Errorf("inferred as %s", got)
	}
}

func TestDamagedModelsAreErrors(t *testing.T) {
	rt := runtimetest.Open(t)
	tiny := runtime.TinyModel()
	unknown := runtime.MakeGraph([][]byte{runtime.MakeNode("NoSuchOp", "y", "x")},
		[][]byte{runtime.MakeValue("x", onnx.Float, 1)}, [][]byte{runtime.MakeValue("y", onnx.Float, 1)})
	for name, model := range subtest.Rows(map[string][]byte{
		"empty": nil, "text": []byte("hello, world"), "half": tiny[:len(tiny)/2], "unknown operator": unknown,
	}) {
		t.Run(name, func(t *testing.T) {
			if s, err := rt.NewSession(t.Context(), model, one()); !errors.Is(err, runtime.ErrModel) {
				t.Errorf("%s: %v, %v", name, s, err)
			}
		})
	}
	if _, err := rt.NewSession(t.Context(), tiny, runtime.SessionOptions{}); !errors.Is(err, runtime.ErrOptions) {
		t.Errorf("without a number of threads: %v", err)
	}
}
