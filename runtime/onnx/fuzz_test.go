package onnx_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
)

// FuzzParse guards against files that crash the reader or its accessors. What is read must be
// written and read again without loss.
func FuzzParse(f *testing.F) {
	b, err := demo(f).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte{})
	f.Add([]byte{0x08, 0x08, 0x3a, 0x00, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x11})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := onnx.Parse(raw)
		if err != nil {
			return
		}
		for _, v := range append(append(m.Inputs(), m.Outputs()...), m.ValueInfos()...) {
			_ = v.String()
		}
		_, _, _, _ = m.Operators(), m.Parameters(), m.Values(), m.ExternalTensors()
		for _, n := range m.Nodes() {
			_ = onnx.Describe(n)
			_, _ = onnx.ConstantValue(n) // errors are fine, panics are not
		}
		for _, ten := range m.Initializers() {
			_, _ = onnx.Float32s(ten)
			_, _ = onnx.Int64s(ten)
		}
		for _, edit := range []func() (*onnx.Model, error){
			m.Sorted, m.WithoutDead, m.WithoutInitializerInputs,
			func() (*onnx.Model, error) { return m.WithBatch(onnx.Sym("N")) },
			func() (*onnx.Model, error) { return m.WithOpset(17) },
			func() (*onnx.Model, error) { return m.Prefixed("p"), nil },
			func() (*onnx.Model, error) { return onnx.Compose(m, m.Prefixed("q"), nil) },
		} {
			_, _ = edit() // errors are fine, panics are not
		}
		out, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := onnx.Parse(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !proto.Equal(m.Proto(), again.Proto()) {
			t.Error("writing and reading changed the model")
		}
	})
}

// FuzzExternal guards against descriptions of external data that crash the reader, lead out of the
// folder, or make it allocate what is not there.
func FuzzExternal(f *testing.F) {
	dir := f.TempDir()
	inner := filepath.Join(dir, "model")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inner, "w.bin"), make([]byte, 64), 0o644); err != nil {
		f.Fatal(err)
	}
	secret := make([]byte, 64)
	for i := range secret {
		secret[i] = 0x55
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), secret, 0o644); err != nil {
		f.Fatal(err)
	}
	f.Add("w.bin", "0", "16", int64(4), int64(1))
	f.Add("../secret", "0", "16", int64(4), int64(1))
	f.Add("w.bin", "9223372036854775807", "9223372036854775807", int64(1)<<62, int64(3))
	f.Fuzz(func(t *testing.T, location, offset, length string, d0, d1 int64) {
		raw := externalModel(t, []int64{d0, d1}, map[string]string{"location": location, "offset": offset, "length": length})
		m, err := onnx.Parse(raw)
		if err != nil {
			return
		}
		m, err = m.LoadExternal(inner, onnx.DefaultLimits())
		if err != nil {
			return
		}
		data := m.Initializer("w").GetRawData()
		if len(data) > 64 {
			t.Fatalf("%d bytes from a file of 64", len(data))
		}
		for _, b := range data {
			if b == 0x55 {
				t.Fatal("read a file outside the model's folder")
			}
		}
	})
}
