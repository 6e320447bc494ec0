package onnx_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// largeModel is a product with a weight of 200 kB beside a small constant.
func largeModel(t *testing.T) *onnx.Model {
	t.Helper()
	b := onnx.NewBuilder("large", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(250))
	w := make([]float32, 250*200)
	for i := range w {
		w[i] = float32(i%97) / 97
	}
	weight, err := onnx.NewTensor("w", []int64{250, 200}, w)
	if err != nil {
		t.Fatal(err)
	}
	bias, err := onnx.NewTensor("b", []int64{1}, []float32{2})
	if err != nil {
		t.Fatal(err)
	}
	y := b.Add(b.MatMul(x, b.Initializer(weight)), b.Initializer(bias))
	b.Output("y", y, onnx.Float, onnx.Sym("N"), onnx.Fixed(200))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func marshal(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWeightsStayInPlace parses without a copy of the large weight, and the model is the same.
func TestWeightsStayInPlace(t *testing.T) {
	b := marshal(t, largeModel(t))
	m, places, err := onnx.ParseInPlace(b, onnx.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := marshal(t, m); !bytes.Equal(got, b) {
		t.Errorf("the model has %d bytes after it was parsed, and had %d, or others", len(got), len(b))
	}
	w := m.Initializer("w")
	at, ok := places[w]
	if !ok || len(places) != 1 {
		t.Fatalf("%d tensors are in place; the weight alone should be", len(places))
	}
	if raw := w.GetRawData(); &raw[0] != &b[at] || cap(raw) != len(raw) {
		t.Error("the weight was copied, or may grow over what follows it")
	}
}

// TestReferringReadsTheSame writes a model, refers to its own file, and reads the weights from
// there.
func TestReferringReadsTheSame(t *testing.T) {
	b := marshal(t, largeModel(t))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	m, places, err := onnx.ParseInPlace(b, onnx.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	light := m.Referring(places, "model.onnx")
	if n := len(marshal(t, light)); n > 2000 {
		t.Errorf("the model without its weights has %d bytes", n)
	}
	if got := light.ExternalTensors(); len(got) != 1 || got[0] != "w" {
		t.Errorf("external tensors %v; want w", got)
	}
	if len(m.ExternalTensors()) != 0 {
		t.Error("the model itself was changed")
	}
	full, err := light.LoadExternal(dir, onnx.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(marshal(t, full), b) {
		t.Error("what was read back is another model")
	}
}

// TestUnusualEncodings are decoded as the general decoder does: what stands twice, and lengths that
// are longer than need be.
func TestUnusualEncodings(t *testing.T) {
	plain := marshal(t, largeModel(t))
	graph := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(plain, graph); err != nil {
		t.Fatal(err)
	}
	head := proto.Clone(graph).(*onnxpb.ModelProto)
	head.Graph = nil
	start, err := proto.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(graph.Graph)
	if err != nil {
		t.Fatal(err)
	}
	long := func(n int) []byte { // a length in five bytes
		return []byte{byte(n) | 0x80, byte(n>>7) | 0x80, byte(n>>14) | 0x80, byte(n>>21) | 0x80, byte(n >> 28)}
	}
	cases := map[string][]byte{}
	tag := protowire.AppendTag(nil, 7, protowire.BytesType)
	cases["a long length"] = bytes.Join([][]byte{start, tag, long(len(body)), body}, nil)
	name := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte("other"))
	again := protowire.AppendBytes(bytes.Clone(tag), name) // a second graph: it is merged into the first
	cases["a graph in two parts"] = append(protowire.AppendBytes(append(bytes.Clone(start), tag...), body), again...)
	for what, b := range cases {
		want := new(onnxpb.ModelProto)
		if err := proto.Unmarshal(b, want); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m, err := onnx.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if !proto.Equal(m.Proto(), want) {
			t.Errorf("%s: parsed as another model", what)
		}
	}
}

// TestBlocks goes through every element once, whatever the type.
func TestBlocks(t *testing.T) {
	const n = 20_000
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(i % 1000)
	}
	for _, dt := range []onnx.DType{onnx.Float, onnx.Double, onnx.Float16, onnx.Int64} {
		tensor, err := onnx.NewNumbers("t", dt, []int64{n}, values)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for block, err := range onnx.Blocks(tensor) {
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range block {
				if v != values[i] {
					t.Fatalf("%v: element %d is %v, want %v", dt, i, v, values[i])
				}
				i++
			}
		}
		if i != n {
			t.Errorf("%v: %d elements, want %d", dt, i, n)
		}
		tensor.Dims[0]++
		for _, err := range onnx.Blocks(tensor) {
			if err == nil {
				t.Errorf("%v: data that do not fit the dimensions are handed out", dt)
			}
		}
	}
}
