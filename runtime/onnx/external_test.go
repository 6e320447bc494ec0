package onnx_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// externalModel is a model whose one initialiser claims to be in another file.
func externalModel(t testing.TB, dims []int64, fields map[string]string) []byte {
	t.Helper()
	b := onnx.NewBuilder("external", 17)
	x := b.Input("x", onnx.Float, onnx.Fixed(4))
	w := onnx.Tensor(b, "w", []int64{4}, []float32{1, 2, 3, 4})
	b.Output("y", b.Add(x, w), onnx.Float, onnx.Fixed(4))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	p := m.Proto()
	u := &onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), Dims: dims, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}
	for _, k := range []string{"location", "offset", "length"} {
		if v, ok := fields[k]; ok {
			u.ExternalData = append(u.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(k), Value: proto.String(v)})
		}
	}
	p.Graph.Initializer[0] = u
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestExternalData(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "model")
	for _, d := range []string{dir, filepath.Join(dir, "sub")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data := make([]byte, 64)
	data[3], data[2] = 0x3f, 0x80 // 1.0
	for _, f := range []string{filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin"), filepath.Join(outer, "secret.bin")} {
		if err := os.WriteFile(f, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"out.bin": "../secret.bin", "abs.bin": filepath.Join(outer, "secret.bin"), "up": "..", "in.bin": "sub/w.bin",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	huge := []int64{1 << 40, 1 << 20}
	four := []int64{4}
	cases := []struct {
		name   string
		dims   []int64
		fields map[string]string
		want   error // nil: reads; errAny: some error
	}{
		{"plain", four, map[string]string{"location": "w.bin"}, nil},
		{"sub folder", four, map[string]string{"location": "sub/w.bin", "offset": "16", "length": "16"}, nil},
		{"link inside", four, map[string]string{"location": "in.bin"}, nil},
		{"absolute", four, map[string]string{"location": filepath.Join(dir, "w.bin")}, onnx.ErrOutside},
		{"parent", four, map[string]string{"location": "../secret.bin"}, onnx.ErrOutside},
		{"parent hidden", four, map[string]string{"location": "sub/../../secret.bin"}, onnx.ErrOutside},
		{"backslash", four, map[string]string{"location": `..\secret.bin`}, onnx.ErrOutside},
		{"link out", four, map[string]string{"location": "out.bin"}, onnx.ErrOutside},
		{"absolute link", four, map[string]string{"location": "abs.bin"}, onnx.ErrOutside},
		{"through linked folder", four, map[string]string{"location": "up/secret.bin"}, onnx.ErrOutside},
		{"missing", four, map[string]string{"location": "none.bin"}, os.ErrNotExist},
		{"no location", four, nil, onnx.ErrMalformed},
		{"NUL", four, map[string]string{"location": "w.bin\x00"}, onnx.ErrMalformed},
		{"folder", four, map[string]string{"location": "sub"}, errAny},
		{"offset beyond", four, map[string]string{"location": "w.bin", "offset": "60"}, onnx.ErrMalformed},
		{"offset overflow", four, map[string]string{"location": "w.bin", "offset": "9223372036854775807"}, onnx.ErrMalformed},
		{"offset negative", four, map[string]string{"location": "w.bin", "offset": "-4"}, onnx.ErrMalformed},
		{"offset no number", four, map[string]string{"location": "w.bin", "offset": "x"}, onnx.ErrMalformed},
		{"length differs", four, map[string]string{"location": "w.bin", "length": "32"}, onnx.ErrMalformed},
		{"length negative", four, map[string]string{"location": "w.bin", "length": "-1"}, onnx.ErrMalformed},
		{"huge dims", huge, map[string]string{"location": "w.bin"}, onnx.ErrLimit},
		{"huge dims and length", huge, map[string]string{"location": "w.bin", "length": fmt.Sprint(int64(1) << 62)}, onnx.ErrLimit},
		{"overflowing dims", []int64{1 << 40, 1 << 40}, map[string]string{"location": "w.bin"}, errAny},
		{"negative dim", []int64{-4}, map[string]string{"location": "w.bin"}, errAny},
		{"gigabytes that are not there", []int64{1 << 30}, map[string]string{"location": "w.bin"}, onnx.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "m.onnx")
			if err := os.WriteFile(path, externalModel(t, c.dims, c.fields), 0o644); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := onnx.Read(path)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
				t.Errorf("reading allocated %d bytes", grown)
			}
			switch {
			case c.want == nil && err != nil:
				t.Fatal(err)
			case c.want == nil:
				w, werr := onnx.Float32s(m.Initializer("w"))
				if werr != nil || len(w) != 4 || c.name == "plain" && w[0] != 1 {
					t.Errorf("weights %v, error %v", w, werr)
				}
			case err == nil:
				t.Error("no error")
			case !errors.Is(c.want, errAny) && !errors.Is(err, c.want):
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

var errAny = errors.New("any")

func TestExternalLimit(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 1<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(path, externalModel(t, []int64{128}, map[string]string{"location": "w.bin"}), 0o644); err != nil {
		t.Fatal(err)
	}
	lim := onnx.DefaultLimits()
	lim.ExternalBytes = 511
	if _, err := onnx.ReadLimited(path, lim); !errors.Is(err, onnx.ErrLimit) {
		t.Errorf("error %v, want ErrLimit", err)
	}
	lim.ExternalBytes = 512
	if _, err := onnx.ReadLimited(path, lim); err != nil {
		t.Error(err)
	}
	lim.ModelBytes = 10
	if _, err := onnx.ReadLimited(path, lim); !errors.Is(err, onnx.ErrLimit) {
		t.Errorf("error %v, want ErrLimit", err)
	}
	if _, err := onnx.ParseLimited(nil, onnx.Limits{}); err == nil {
		t.Error("zero limits are accepted")
	}
}

func TestWriteExternalReadsBack(t *testing.T) {
	m := demo(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteExternal(path, 16); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := onnx.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if ext := parsed.ExternalTensors(); !slices.Equal(ext, []string{"w", "b"}) {
		t.Errorf("external tensors %v", ext)
	}
	back, err := onnx.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m.Proto(), back.Proto()) {
		t.Error("the model differs after external data")
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v %v", names, err)
	}
}

// TestManyEmptyMessages reads a small file that would unfold to gigabytes.
func TestManyEmptyMessages(t *testing.T) {
	inner := make([]byte, 0, 40<<20)
	for range 20 << 20 {
		inner = append(inner, 0x0a, 0x00) // an empty node
	}
	raw := []byte{0x08, 0x08, 0x3a} // IR version 8; graph of that length
	n := uint64(len(inner))
	for n >= 0x80 {
		raw = append(raw, byte(n)|0x80)
		n >>= 7
	}
	raw = append(append(raw, byte(n)), inner...)
	if _, err := onnx.Parse(raw); !errors.Is(err, onnx.ErrLimit) {
		t.Errorf("error %v, want ErrLimit", err)
	}
}
