package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"ucan/fixtures/digits"
	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth/stream"
)

// sha256Hex is the hash of the embedded network.
const sha256Hex = "a19241f77e9e11274aa610bd7f403d66d0ee440e2150722323348a6259391e35"

func TestEmbeddedBytesAreTheRecordedOnes(t *testing.T) {
	b := Model()
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:]); got != sha256Hex {
		t.Fatalf("the embedded network has hash %s, want %s; after training anew, measure it and bring this test and README.md up to date", got, sha256Hex)
	}
	b[0]++
	if Model()[0] == b[0] {
		t.Error("a caller can change the embedded network")
	}
}

func TestGraphIsAsDocumented(t *testing.T) {
	m, err := onnx.Parse(Model())
	if err != nil {
		t.Fatal(err)
	}
	if v := m.Opset(""); v != 17 {
		t.Errorf("opset %d, documented 17", v)
	}
	in, out := m.Inputs(), m.Outputs()
	if len(in) != 1 || in[0].Name != "input" || in[0].Type != onnx.Float || in[0].String() == "" {
		t.Errorf("inputs %v, want one float tensor named input", in)
	}
	if len(out) != 1 || out[0].Name != "logits" || out[0].Type != onnx.Float {
		t.Errorf("outputs %v, want one float tensor named logits", out)
	}
	for name, c := range subtest.Rows(map[string]struct {
		shape []onnx.Dim
		tail  []int64
	}{"input": {in[0].Shape, []int64{1, digits.Size, digits.Size}}, "logits": {out[0].Shape, []int64{digits.Classes}}}) {
		t.Run(name, func(t *testing.T) {
			if len(c.shape) != len(c.tail)+1 || c.shape[0].IsFixed() {
				t.Errorf("%s has shape %v, want a symbolic batch before %v", name, c.shape, c.tail)
				return
			}
			for k, n := range c.tail {
				if d := c.shape[k+1]; !d.IsFixed() || d.Size != n {
					t.Errorf("%s has shape %v, want [N,%v]", name, c.shape, c.tail)
				}
			}
		})
	}
	if ext := m.ExternalTensors(); len(ext) > 0 {
		t.Errorf("tensors outside the file: %v", ext)
	}
}

// README.md records 99.78 % clean and 99.63 % at σ = 0.25 on 10,000 held-out
// digits. On 1,000 of them a sample of that accuracy stays above 99 % and 98.8 %
// but for about one case in 10⁴; the bounds of the fixture itself, 98 % and 95 %, lie below.
func TestAccuracyOnHeldOutDigits(t *testing.T) {
	rt := runtimetest.Open(t)
	ctx := context.Background()
	session, err := rt.NewSession(ctx, Model(), runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	const n, batch = 1000, 100
	x, y := make([]float32, batch*digits.Pixels), make([]float32, batch*digits.Classes)
	in := tensor(t, rt, []int64{batch, 1, digits.Size, digits.Size}, x)
	out := tensor(t, rt, []int64{batch, digits.Classes}, y)
	for _, c := range []struct {
		sigma, least float32
	}{{0, 0.99}, {0.25, 0.988}} {
		g := digits.New(digits.TestSeed)
		key := stream.New(1, sha256.Sum256([]byte("models/demo")), stream.Audit)
		var labels [batch]int
		var noise [digits.Pixels]float32
		right := 0
		for first := 0; first < n; first += batch {
			for k := range labels {
				row := x[k*digits.Pixels : (k+1)*digits.Pixels]
				labels[k] = g.Image(first+k, row)
				src := key.Source(uint64(first + k))
				src.NormalInto(noise[:])
				for j := range row {
					row[j] += c.sigma * noise[j]
				}
			}
			if err := session.Run(ctx, []*runtime.Tensor{in}, []*runtime.Tensor{out}); err != nil {
				t.Fatal(err)
			}
			for k, label := range labels {
				if argmax(y[k*digits.Classes:(k+1)*digits.Classes]) == label {
					right++
				}
			}
		}
		if accuracy := float32(right) / n; accuracy < c.least {
			t.Errorf("σ = %v: accuracy %.3f, want %.3f or more", c.sigma, accuracy, c.least)
		}
	}
}

func tensor(t *testing.T, rt *runtime.Runtime, shape []int64, data []float32) *runtime.Tensor {
	t.Helper()
	v, err := runtime.NewTensor(rt, shape, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func argmax(s []float32) int {
	best := 0
	for c, v := range s {
		if v > s[best] {
			best = c
		}
	}
	return best
}
