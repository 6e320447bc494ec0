package matrix

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

var update = flag.Bool("update", false, "rewrite docs/zoo.schema.json")

const whole = `
models:
  - {name: resnet, file: models/resnet.onnx, preprocessing: {mean: [0.5, 0.4, 0.3], std: 0.25}}
  - file: models/vit.onnx
    statistics: {n: 1e4, adaptive: off}
    runtime: {providers: [{cuda: {device_id: 0}}, cpu], batch: 64}
    force: true
datasets:
  - {name: cifar, source: "cifar10:test_batch.bin", skip: 3, stride: 2, max: 500}
  - {source: "digits?n=100&seed=3"}
noise:
  - {family: gaussian, norm: l2, sigma: [0.25, 0.5]}
  - {family: exp2, params: {k: 2}, lambda: 0.5}
  - {npg: ["pattern:l2,kappa=0.3,iota=0.2", bundles/mnist]}
defaults: {preprocessing: {layout: nchw}}
statistics: {n0: 50, alpha: 0.01, adaptive: default, grid: [0.5, 0.25]}
runtime: {threads: 2, memory: 1.5GiB, timeout: 90m}
seed: 18446744073709551615
shard_size: 8
skip: [{model: "vit*", dataset: cifar}]
`

// parse reads the text of a zoo.yaml without looking for the files it names.
func parse(file, text string) (*Zoo, error) {
	p := parser{faults: &Faults{File: file}}
	return p.zoo([]byte(text))
}

func TestParse(t *testing.T) {
	z, err := parse("zoo.yaml", whole)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range z.Noise {
		names = append(names, s.Name)
	}
	want := []string{"gaussian-l2-s0.25", "gaussian-l2-s0.5", "exp2-l2-k2-l0.5", "gaussian-l2-pattern:l2,kappa=0.3,iota=0.2-s1", "gaussian-l2-mnist-s1"}
	if !slices.Equal(names, want) {
		t.Errorf("noise %q, want %q", names, want)
	}
	resnet, vit := z.Models[0], z.Models[1]
	if resnet.Name != "resnet" || vit.Name != "vit" || vit.Declared.Input.Layout != "nchw" || resnet.Declared.Input.Mean[2] != 0.3 {
		t.Errorf("models %+v", z.Models)
	}
	if s := resnet.Statistics; s.N != 100_000 || s.N0 != 50 || s.Adaptive != "default" || !slices.Equal(s.Grid, []float64{0, 0.25, 0.5}) || s.Force {
		t.Errorf("statistics %+v", s)
	}
	if r := vit.Runtime; r.Queue() != QueueCUDA || r.Batch != 64 || r.Threads != 2 || r.Providers[0].Options["device_id"] != "0" || resnet.Runtime.Queue() != QueueCPU {
		t.Errorf("runtime %+v", r)
	}
	if resnet.Limits != (Limits{Memory: 3 << 29, Timeout: 5400}) {
		t.Errorf("limits %+v", resnet.Limits)
	}
	if d := z.Datasets[0]; d.Skip != 3 || d.Stride != 2 || d.Max != 500 || z.Datasets[1].Name != "" {
		t.Errorf("datasets %+v", z.Datasets)
	}
	if *z.Seed != 1<<64-1 || z.ShardSize != 8 || !z.Skipped("vit-b", "cifar", "x") || z.Skipped("vit", "digits", "x") {
		t.Errorf("seed %v, shard size %d", *z.Seed, z.ShardSize)
	}
}

// A model that turns the profile off drops what belongs to it; one that keeps it is judged with the
// defaults.
func TestOverridesAreCheckedWithTheDefaults(t *testing.T) {
	head := "models: [{file: a.onnx}, {file: b.onnx, statistics: {adaptive: %s}}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n"
	z, err := parse("z", fmt.Sprintf(head+"statistics: {adaptive: fast,\n  grid: [0.1]}\n", "off"))
	if err != nil || z.Models[1].Statistics.Grid != nil || z.Models[0].Statistics.Grid == nil || z.Models[1].Statistics.N != 100_000 {
		t.Errorf("%+v, %v", z.Models, err)
	}
	_, err = parse("z", fmt.Sprintf(head+"statistics: {\n  n: 50}\n", "strict"))
	if err == nil || !strings.Contains(err.Error(), "z:5: the cap of an adaptive run is 50") {
		t.Errorf("%v", err)
	}
}

func TestDefaults(t *testing.T) {
	z, err := parse("z", "models: [{file: a.onnx}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 0.5}]\n")
	if err != nil {
		t.Fatal(err)
	}
	m := z.Models[0]
	want := Statistics{N0: 100, N: 100_000, Alpha: 0.001, Bound: "one"}
	if !reflect.DeepEqual(m.Statistics, want) || z.Seed != nil || z.ShardSize != 16 || m.Runtime.Threads != 1 || m.Runtime.Providers[0].Name != "cpu" {
		t.Errorf("%+v", z)
	}
}

// Every fault is found at once, each with its line and a remedy.
func TestFaults(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		text string
		want []string
	}{
		"several": {
			"models:\n  - {file: a.onnx, layout: nchw}\n  - {name: b}\ndatasets:\n  - {source: \"mnits:x\"}\nnoise:\n  - {family: gausian, sigma: 1}\n  - {sigma: -1}\n  - {sigma: 1, lambda: 2}\nstatistics: {alpha: 2, n: 0.5, adaptive: sometimes}\nshard_size: 0\nsede: 1\n",
			[]string{
				`z:2: unknown key "models.layout"`, `z:3: key "models.file" is missing`, `z:5: data source "mnits:x"`, `z:7: unknown noise family "gausian"`,
				`z:8: "noise.sigma" is "-1"; write a number above 0`, `z:9: both sigma and lambda`, `z:10: "statistics.alpha" is "2"; write a number above 0 and at most 0.5`,
				`z:10: "statistics.n" is "0.5"`, `z:10: "statistics.adaptive" is "sometimes"; write off, strict, default, fast`, `z:11: "shard_size" is "0"`, `z:12: unknown key "sede"`,
			},
		},
		"names": {
			"models: [{file: a/x.onnx}, {file: b/x.onnx}]\ndatasets: [{name: d, source: digits}, {name: d, source: digits}]\nnoise:\n- {sigma: [1, 1]}\nskip: [{noise: laplace*}]\n",
			[]string{`model "x" is there already`, `dataset "d" is there already`, `z:4: noise "gaussian-l2-s1" is there already`, `matches no noise setting`},
		},
		"empty":     {"", []string{"it is empty"}},
		"no list":   {"models: 3\ndatasets: []\nnoise: {sigma: 1}\n", []string{`"models" is "3"; write a list`, `"datasets" is empty`, `"noise" is a mapping; write a list`}},
		"twice":     {"seed: 1\nseed: 2\nmodels: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n", []string{`z:2: key "seed" was given in line 1 already`}},
		"yaml":      {"models: [", []string{"z:1:", "correct the YAML"}},
		"documents": {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n---\nmore: 1\n", []string{"more than one document"}},
		"labels":    {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\nstatistics: {label_aware: true, n0: 5}\n", []string{"label-aware run is adaptive", "selects no class"}},
		"profile":   {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\nstatistics: {adaptive: fast, n: 50, bound: two}\n", []string{"cap of an adaptive run is 50", "leave bound out"}},
		"n0":        {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\nstatistics: {n0: 0}\n", []string{"some samples must choose the class"}},
		"npg":       {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{npg: \"pattern:l7\"}, {}]\n", []string{"pattern", "no noise scale is given"}},
		"std":       {"models: [{file: a, preprocessing: {mean: [1, 2], std: [1, 2, 3]}}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n", []string{"mean has 2 values and std 3"}},
		"provider":  {"models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\nruntime: {providers: gpu, memory: much}\n", []string{"gpu", `"runtime.memory" is "much"`}},
		"glob":      {"models: [{name: x, file: \"*.onnx\"}, {file: \"[\"}]\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n", []string{"a glob names its models by their files", "bad glob"}},
		"alias bomb": {
			"a: &a [x]\nmodels: &m [{file: a}]\n", []string{`unknown key "a"`},
		},
	}) {
		t.Run(name, func(t *testing.T) {
			_, err := parse("z", c.text)
			if !errors.Is(err, ErrFaulty) {
				t.Errorf("%s: %v, want faults", name, err)
				return
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v\nlacks %q", name, err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\t") {
				t.Errorf("%s: more than one line: %q", name, err)
			}
		})
	}
}

// A file that repeats itself through aliases costs no more than its limit.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]\n")
	b.WriteString("noise: [")
	for range 30_000 {
		b.WriteString("{sigma: *a0}, ")
	}
	b.WriteString("]\n")
	_, err := parse("z", b.String())
	if err == nil || !strings.Contains(err.Error(), "repeats itself too often") {
		t.Errorf("%.200v", err)
	}
}

func TestLoadLocatesFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"models/a.onnx", "models/b.onnx", "data.csv", "labels.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("cat 3\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "zoo.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("models: [{file: models/*.onnx}]\ndatasets: [{source: \"csv:data.csv\", label_map: labels.txt}]\nnoise: [{sigma: 1}]\n")
	z, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(z.Models) != 2 || z.Models[1].Name != "b" || z.Models[1].File != filepath.Join(dir, "models/b.onnx") ||
		z.Datasets[0].Spec.Paths[0] != filepath.Join(dir, "data.csv") || z.Datasets[0].LabelMap["cat"] != 3 {
		t.Errorf("%+v", z)
	}
	write("models: [{file: \"none/*.onnx\"}, {file: c.onnx}]\ndatasets: [{source: \"csv:d.csv\"}]\nnoise: [{npg: nowhere}]\n")
	_, err = Load(file)
	for _, want := range []string{"none/*.onnx", "c.onnx", "d.csv", "nowhere"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "absent.yaml")); err == nil || errors.Is(err, ErrFaulty) {
		t.Errorf("absent file: %v", err)
	}
}

// The published schema is that of the table.
func TestSchemaIsCurrent(t *testing.T) {
	const file = "../../../docs/zoo.schema.json"
	now, err := schemaText()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err = os.WriteFile(file, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil || string(stored) != string(now) {
		t.Errorf("docs/zoo.schema.json is not current (%v); run go test ./internal/zoo/matrix -run Schema -update", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("models: [{file: a}]\ndatasets: [{source: digits}]\nnoise: [{sigma: [1, .inf, 2e400]}]\n")
	f.Add("a: &x {b: *x}\n")
	f.Add("noise: [{npg: [\"pattern:dct\", \"a,b\"], params: {k: .nan}}]\nruntime: {providers: [{cuda: }], timeout: -1, memory: 9e99TiB}")
	f.Fuzz(func(t *testing.T, text string) {
		z, err := parse("z", text)
		if err == nil {
			if len(z.Models) == 0 || len(z.Datasets) == 0 || len(z.Noise) == 0 || z.ShardSize < 1 {
				t.Fatalf("accepted without an axis: %q", text)
			}
			return
		}
		if !errors.Is(err, ErrFaulty) || strings.ContainsAny(err.Error(), "\n\r") {
			t.Fatalf("%q: %q is no list of faults on one line", text, err)
		}
	})
}

// TestPublishedZoo keeps the zoo of the documentation readable.
func TestPublishedZoo(t *testing.T) {
	const path = "../../../docs/experiments/zoo-all-models.yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := parse(path, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.Models) != 13 || len(z.Datasets) != 2 || len(z.Noise) != 2 || z.ShardSize != 10 || z.Seed == nil {
		t.Errorf("%d models and globs, %d data sources, %d scales", len(z.Models), len(z.Datasets), len(z.Noise))
	}
}

// TestChannels reads the order of channels of a model, and refuses names of none.
func TestChannels(t *testing.T) {
	const rest = "\ndatasets: [{source: digits}]\nnoise: [{sigma: 1}]\n"
	z, err := parse("zoo.yaml", "models: [{file: a.onnx, preprocessing: {channels: bgr}}]"+rest)
	if err != nil || z.Models[0].Declared.Input.Channels != "bgr" {
		t.Errorf("%+v, %v", z, err)
	}
	if _, err = parse("zoo.yaml", "models: [{file: a.onnx, preprocessing: {channels: gbr}}]"+rest); err == nil {
		t.Error("an unknown order was accepted")
	}
}
