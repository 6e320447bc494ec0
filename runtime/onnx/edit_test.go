package onnx_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// demo is y = relu(x·w + b), x [N,4], y [N,5].
func demo(t testing.TB) *onnx.Model {
	t.Helper()
	b := onnx.NewBuilder("demo", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	data := make([]float32, 20)
	for i := range data {
		data[i] = float32(i%7) - 3
	}
	w := onnx.Tensor(b, "w", []int64{4, 5}, data)
	bias := onnx.Tensor(b, "b", []int64{5}, []float32{1, 0, -1, 2, 0.5})
	b.Output("y", b.Relu(b.Gemm(x, w, bias, false)), onnx.Float, onnx.Sym("N"), onnx.Fixed(5))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEditsLeaveTheOriginal applies every edit and compares the original with a copy made before.
func TestEditsLeaveTheOriginal(t *testing.T) {
	m := demo(t)
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	before, err := onnx.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	w2, err := onnx.NewTensor("w", []int64{4, 5}, make([]float32, 20))
	if err != nil {
		t.Fatal(err)
	}
	edits := map[string]func() (*onnx.Model, error){
		"Sorted":       m.Sorted,
		"WithoutDead":  m.WithoutDead,
		"WithOutputs":  func() (*onnx.Model, error) { return m.WithOutputs("Gemm") },
		"WithBatch":    func() (*onnx.Model, error) { return m.WithBatch(onnx.Fixed(3)) },
		"WithDim":      func() (*onnx.Model, error) { return m.WithDim("x", 0, onnx.Sym("M")) },
		"WithDeclared": func() (*onnx.Model, error) { return m.WithDeclared("y", onnx.Float, onnx.Sym("?")) },
		"Promote":      func() (*onnx.Model, error) { return m.Promote("w", "b") },
		"WithInitializers": func() (*onnx.Model, error) {
			return m.WithInitializers(w2)
		},
		"Renamed":                  func() (*onnx.Model, error) { return m.Renamed(map[string]string{"w": "weight", "x": "in"}) },
		"Prefixed":                 func() (*onnx.Model, error) { return m.Prefixed("p."), nil },
		"WithOpset":                func() (*onnx.Model, error) { return m.WithOpset(21) },
		"WithoutInitializerInputs": m.WithoutInitializerInputs,
		"Edit": func() (*onnx.Model, error) {
			return m.Edit(func(p *onnxpb.ModelProto) error { p.Graph.Node = p.Graph.Node[:1]; return nil })
		},
		"Extend": func() (*onnx.Model, error) {
			b := onnx.Extend(m)
			b.ClearOutputs()
			b.OutputUntyped("z", b.Neg(b.Value("y")))
			return b.Build()
		},
		"Compose": func() (*onnx.Model, error) {
			return onnx.Compose(m, m.Prefixed("second."), map[string]string{"second.x": "y"})
		},
	}
	for name, edit := range subtest.Rows(edits) {
		t.Run(name, func(t *testing.T) {
			out, err := edit()
			if name == "Compose" {
				if err == nil {
					t.Errorf("%s: 5 columns went into 4", name)
				}
				return
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if name != "Sorted" && name != "WithoutDead" && name != "WithoutInitializerInputs" && proto.Equal(out.Proto(), before.Proto()) {
				t.Errorf("%s changed nothing", name)
			}
			if !proto.Equal(m.Proto(), before.Proto()) {
				t.Fatalf("%s changed the original", name)
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	m := demo(t)
	if got := fmt.Sprint(m.Inputs(), m.Outputs()); got != "[x: float[N,4]] [y: float[N,5]]" {
		t.Errorf("inputs and outputs %s", got)
	}
	if m.Opset("") != 17 || m.Opset("ai.onnx") != 17 || m.Opset("other") != 0 {
		t.Errorf("opsets %v", m.Opsets())
	}
	if m.Parameters() != 25 || m.Operators()["Gemm"] != 1 {
		t.Errorf("%d parameters, operators %v", m.Parameters(), m.Operators())
	}
	dup, err := m.Edit(func(p *onnxpb.ModelProto) error {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("ai.onnx"), Version: proto.Int64(19)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if dup.Opset("") != 19 {
		t.Errorf("of two imports %d counts, want the last", dup.Opset(""))
	}
	if up, err := dup.WithOpset(20); err != nil || len(up.Opsets()) != 1 || up.Opset("") != 20 {
		t.Errorf("opsets %v, error %v", up, err)
	}
	if m.FreshName("w") != "w_1" || m.FreshName("new") != "new" {
		t.Errorf("fresh names %q, %q", m.FreshName("w"), m.FreshName("new"))
	}
}

func TestPromoteAndDemote(t *testing.T) {
	m := demo(t)
	p, err := m.Promote("w")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.Inputs()); got != "[x: float[N,4] w: float[4,5]]" {
		t.Errorf("inputs %s", got)
	}
	back, err := p.Demote(m.Initializer("w"))
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Inputs()) != 1 || back.Initializer("w") == nil {
		t.Error("w did not become a constant again")
	}
	wrong, err := onnx.NewTensor("w", []int64{5, 4}, make([]float32, 20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Demote(wrong); err == nil {
		t.Error("a tensor of another shape was accepted")
	}
	for _, f := range []func() error{
		func() error { _, err := m.Promote("x"); return err },
		func() error { _, err := m.WithOutputs("none"); return err },
		func() error { _, err := m.WithOutputs("y", "y"); return err },
		func() error { _, err := m.WithDim("x", 2, onnx.Fixed(1)); return err },
		func() error { _, err := m.WithDim("w", 0, onnx.Fixed(1)); return err },
		func() error { _, err := m.Renamed(map[string]string{"x": "w"}); return err },
		func() error { _, err := m.Renamed(map[string]string{"none": "a"}); return err },
		func() error { _, err := m.WithInitializers(wrong); return err },
		func() error { _, err := m.WithOpset(13); return err },
		func() error { _, err := m.WithOpset(1000); return err },
	} {
		if err := f(); err == nil {
			t.Error("a faulty edit was accepted")
		}
	}
}

func TestSortedAndDead(t *testing.T) {
	m := demo(t)
	mixed, err := m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.Graph
		dead := proto.Clone(g.Node[0]).(*onnxpb.NodeProto)
		dead.Output = []string{"unused"}
		g.Node = append(g.Node, dead)
		slices.Reverse(g.Node)
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String("dead"), DataType: proto.Int32(1), Dims: []int64{0}, RawData: []byte{}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := mixed.Sorted()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.WithoutDead(); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(s.Proto(), m.Proto()) {
		t.Error("sorting and pruning does not give the original back")
	}
	cycle, err := m.Edit(func(p *onnxpb.ModelProto) error { p.Graph.Node[0].Input[0] = "y"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err = cycle.Sorted(); !errors.Is(err, onnx.ErrCycle) {
		t.Errorf("error %v, want ErrCycle", err)
	}
	twice, err := m.Edit(func(p *onnxpb.ModelProto) error { p.Graph.Node[0].Output[0] = "y"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := twice.Sorted(); !errors.Is(err, onnx.ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
}

// TestUnknownFieldsStay puts a field of a future schema into model and graph and edits.
func TestUnknownFieldsStay(t *testing.T) {
	m, err := demo(t).Edit(func(p *onnxpb.ModelProto) error {
		p.ProtoReflect().SetUnknown(protoreflect.RawFields{0xa2, 0x06, 0x02, 'h', 'i'}) // field 100
		p.Graph.ProtoReflect().SetUnknown(protoreflect.RawFields{0xa2, 0x06, 0x01, '!'})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = onnx.Parse(b); err != nil {
		t.Fatal(err)
	}
	if m, err = m.Renamed(map[string]string{"x": "in"}); err != nil {
		t.Fatal(err)
	}
	p := m.Proto()
	if string(p.ProtoReflect().GetUnknown()) != "\xa2\x06\x02hi" || string(p.Graph.ProtoReflect().GetUnknown()) != "\xa2\x06\x01!" {
		t.Error("unknown fields are lost")
	}
}

func TestTensors(t *testing.T) {
	f, err := onnx.NewTensor("f", []int64{2}, []float32{1.5, float32(math.Inf(1))})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := onnx.TensorData[float32](f); err != nil || d[0] != 1.5 || !math.IsInf(float64(d[1]), 1) {
		t.Errorf("%v %v", d, err)
	}
	if _, err := onnx.TensorData[int64](f); err == nil {
		t.Error("floats came out as integers")
	}
	typed := &onnxpb.TensorProto{DataType: proto.Int32(10), Dims: []int64{2}, Int32Data: []int32{0x3c00, 0xc000}}
	if d, err := onnx.Float32s(typed); err != nil || d[0] != 1 || d[1] != -2 {
		t.Errorf("halves in int32_data: %v %v", d, err)
	}
	for name, bad := range subtest.Rows(map[string]*onnxpb.TensorProto{
		"short":    {DataType: proto.Int32(1), Dims: []int64{3}, FloatData: []float32{1}},
		"raw":      {DataType: proto.Int32(1), Dims: []int64{1}, RawData: []byte{1, 2, 3}},
		"negative": {DataType: proto.Int32(1), Dims: []int64{-1}},
		"overflow": {DataType: proto.Int32(1), Dims: []int64{1 << 62, 1 << 62}},
		"string":   {DataType: proto.Int32(8), Dims: []int64{1}, RawData: []byte("x")},
		"external": {DataType: proto.Int32(1), Dims: []int64{0}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := onnx.Float32s(bad); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	if _, err := onnx.NewTensor("x", []int64{3}, []int64{1}); err == nil {
		t.Error("one element for three was accepted")
	}
	roundTrip(t, []float64{1, -2}, []int8{-1, 2})
	roundTrip(t, []int16{-300, 2}, []int32{-70000, 2})
	roundTrip(t, []uint16{65535, 2}, []uint32{1 << 31, 2})
	roundTrip(t, []uint64{1 << 63, 2}, []bool{true, false})
	roundTrip(t, []uint8{255, 2}, []int64{-1 << 63, 2})
}

func roundTrip[A, B onnx.Element](t *testing.T, a []A, b []B) {
	t.Helper()
	ta, err := onnx.NewTensor("a", []int64{2}, a)
	if err != nil {
		t.Fatal(err)
	}
	tb, err := onnx.NewTensor("b", []int64{1, 2}, b)
	if err != nil {
		t.Fatal(err)
	}
	ga, err := onnx.TensorData[A](ta)
	if err != nil || !slices.Equal(ga, a) {
		t.Errorf("%v became %v, error %v", a, ga, err)
	}
	gb, err := onnx.TensorData[B](tb)
	if err != nil || !slices.Equal(gb, b) {
		t.Errorf("%v became %v, error %v", b, gb, err)
	}
}

// TestHalf converts every half to float32 and back, and rounds values between neighbours.
func TestHalf(t *testing.T) {
	for i := range 1 << 16 {
		h := onnx.Half(i)
		f := h.Float32()
		if f != f {
			continue
		}
		if back := onnx.HalfFromFloat32(f); back != h {
			t.Fatalf("half %#04x is %g, back %#04x", i, f, uint16(back))
		}
		if i&0x7fff >= 0x7bff || i&0x8000 != 0 {
			continue
		}
		next := (h + 1).Float32()
		mid := f + (next-f)/2
		even := h
		if h&1 == 1 {
			even = h + 1
		}
		if got := onnx.HalfFromFloat32(mid); got != even {
			t.Fatalf("halfway between %#04x and the next rounds to %#04x", i, uint16(got))
		}
		if got := onnx.HalfFromFloat32(math.Nextafter32(mid, f)); got != h {
			t.Fatalf("just below halfway above %#04x rounds to %#04x", i, uint16(got))
		}
	}
	if onnx.HalfFromFloat32(65520) != 0x7c00 || onnx.HalfFromFloat32(-1e30) != 0xfc00 {
		t.Error("overflow does not give infinity")
	}
}

func TestBuilderFaults(t *testing.T) {
	for name, f := range subtest.Rows(map[string]func(b *onnx.Builder){
		"no output":      func(*onnx.Builder) {},
		"taken input":    func(b *onnx.Builder) { b.Input("x", onnx.Float); b.Input("x", onnx.Float) },
		"unknown value":  func(b *onnx.Builder) { b.OutputUntyped("y", b.Value("none")) },
		"another graph":  func(b *onnx.Builder) { b.OutputUntyped("y", onnx.NewBuilder("o", 17).Int64(1)) },
		"elements":       func(b *onnx.Builder) { b.OutputUntyped("y", onnx.Tensor(b, "t", []int64{2}, []float32{1})) },
		"scalar type":    func(b *onnx.Builder) { b.OutputUntyped("y", b.Scalar(onnx.String, 1)) },
		"no node":        func(b *onnx.Builder) { b.OutputUntyped("y", b.ExtraOutput(b.Int64(1), 1)) },
		"output is used": func(b *onnx.Builder) { b.OutputUntyped("y", b.Int64(1)); b.OutputUntyped("y", b.Int64(2)) },
	}) {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("faulty", 17)
			f(b)
			if _, err := b.Build(); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	b := onnx.NewBuilder("old", 9)
	b.OutputUntyped("y", b.Int64(1))
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "opset") {
		t.Errorf("opset 9: error %v", err)
	}
}
