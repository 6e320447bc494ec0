package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
)

// writeGenerator writes a user's generator: s = x/10 + add, whose outputs may be of another shape
// than the inputs.
func writeGenerator(t *testing.T, path string, add float64, after func(*onnx.Builder, onnx.Value) onnx.Value) {
	t.Helper()
	b := onnx.NewBuilder("g", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28))
	s := b.Add(b.Mul(x, b.Scalar(onnx.Float, 0.1)), b.Scalar(onnx.Float, add))
	b.Output("sigma", after(b, s), onnx.Float, onnx.Sym("N"), onnx.Sym("C"), onnx.Sym("H"), onnx.Sym("W"))
	m, err := b.Build()
	if err == nil {
		err = m.Write(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func same(_ *onnx.Builder, s onnx.Value) onnx.Value { return s }

// TestPinnedNoiseIsReplayed certifies with a user's network, replays the stored noise, and alters
// the certificates.
func TestPinnedNoiseIsReplayed(t *testing.T) {
	dir, model := workshop(t)
	generator, file := filepath.Join(dir, "g.onnx"), filepath.Join(dir, "run.jsonl")
	writeGenerator(t, generator, 0.1, same)
	want(t, exitDone, "certify", "--model", model, "--npg", generator, "--data", "digits?n=3", "--n0", "20", "--n", "200", "--seed", "1", "--quiet", "--json", file)
	replay := func(code int, file string) outcome {
		return want(t, code, "predict", "--model", model, "--pin", file, "--data", "digits?n=3", "--n", "200", "--seed", "2", "--quiet", "--format", "json")
	}
	var got struct {
		Inputs, Agree, Inside, Violated int
		Results                         []struct{ Guarantee string }
	}
	if err := json.Unmarshal([]byte(replay(exitDone, file).stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Inputs != 3 || got.Agree < 2 || got.Inside < 2 || got.Violated != 0 || got.Results[0].Guarantee != "pinned" {
		t.Errorf("the replay says %+v", got)
	}

	text := read(t, file)
	for name, change := range subtest.Rows(map[string][2]string{
		"the guarantee":    {`"guarantee":"pinned"`, `"guarantee":"deployed"`},
		"the generator":    {`"kind":"certification"`, `"kind":"dataset"`},
		"the scale":        {`"sigma_field":{"sha256":"`, `"sigma_field":{"sha256":"0`},
		"the offset":       {`"mu_field":null`, `"mu_field":[1]`},
		"the noise":        {`"lambda":1`, `"lambda":2`},
		"the input":        {`"index":0`, `"index":1`},
		"the input's form": {`"shape":[1,28,28]`, `"shape":[1,28,14]`},
	}) {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(text, change[0], change[1], 1)
			if changed == text {
				t.Errorf("%s: the certificates hold no %s", name, change[0])
				return
			}
			altered := filepath.Join(dir, "altered.jsonl")
			if err := os.WriteFile(altered, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			if o := replay(exitCheck, altered); !strings.Contains(o.stderr, "line 1") {
				t.Errorf("%s altered: %q does not name the line", name, o.stderr)
			}
		})
	}
}

// TestBadGeneratorsCertifyNothing uses generators whose scales are no scales, or too few, or in
// another layout.
func TestBadGeneratorsCertifyNothing(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	for name, c := range subtest.Rows(map[string]struct {
		after func(*onnx.Builder, onnx.Value) onnx.Value
		want  string
	}{
		"NaN": {func(b *onnx.Builder, s onnx.Value) onnx.Value { return b.Sqrt(b.Neg(s)) }, "NaN"},
		"infinite": {func(b *onnx.Builder, s onnx.Value) onnx.Value {
			return b.Div(s, b.Scalar(onnx.Float, 0))
		}, "Inf"},
		"other layout": {func(b *onnx.Builder, s onnx.Value) onnx.Value { return b.Transpose(s, 0, 2, 3, 1) }, "invalid dimensions"},
		"half of them": {func(b *onnx.Builder, s onnx.Value) onnx.Value {
			return b.Slice(s, []int64{0}, []int64{14}, []int64{3}, nil)
		}, "invalid dimensions"},
	}) {
		t.Run(name, func(t *testing.T) {
			generator, file := filepath.Join(dir, "bad.onnx"), filepath.Join(t.TempDir(), "bad.jsonl")
			writeGenerator(t, generator, 0.1, c.after)
			o := want(t, exitFailed, "certify", "--model", model, "--npg", generator, "--data", "digits?n=2", "--n0", "5", "--n", "20", "--seed", "1", "--quiet", "--json", file)
			if !strings.Contains(o.stderr, c.want) {
				t.Errorf("the error %q does not mention %q", o.stderr, c.want)
			}
			if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), `"status":"certified"`) {
				t.Errorf("it certified: %s", text)
			}
		})
	}
}
