package resolve_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/plan"
	"ucan/internal/zoo/resolve"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// zoo writes the demonstration network under two names, a damaged model, and a zoo.yaml over them.
func zoo(t *testing.T, dir, text string) string {
	t.Helper()
	for name, content := range map[string][]byte{
		"models/one.onnx": demo.Model(), "models/two.onnx": demo.Model(), "models/broken.onnx": []byte("no model"),
		"flat.csv": []byte("1,0.5,0.25,0\n0,0.5,0.25,1\n"), "zoo.yaml": []byte(text),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "zoo.yaml")
}

const zooFile = `
models: [{file: "models/*.onnx"}]
datasets:
  - {source: "digits?n=200&seed=1", max: 21}
  - {name: flat, source: "csv:flat.csv?label=0"}
noise:
  - {sigma: [0.25, 0.5]}
  - {npg: "pattern:l2,kappa=0.3,iota=0.2"}
statistics: {n0: 10, n: 200}
shard_size: 4
skip: [{model: two, noise: "*-s0.5"}]
`

func load(t *testing.T, rt *runtime.Runtime, file string) *matrix.Run {
	t.Helper()
	z, err := matrix.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	run, err := resolve.Resolve(t.Context(), rt, z, resolve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestResolve(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	run := load(t, rt, zoo(t, dir, zooFile))
	var cells []string
	for _, c := range run.Cells {
		cells = append(cells, c.Model+"/"+c.Noise)
		if c.Dataset != "digits" && !strings.HasPrefix(c.Dataset, "digits") || c.Inputs != 21 || c.Batch < 1 {
			t.Errorf("%+v", c)
		}
	}
	if got := strings.Join(cells, " "); got != "one/gaussian-l2-pattern:l2,kappa=0.3,iota=0.2-s1 one/gaussian-l2-s0.25 one/gaussian-l2-s0.5 two/gaussian-l2-pattern:l2,kappa=0.3,iota=0.2-s1 two/gaussian-l2-s0.25" {
		t.Errorf("cells %s", got)
	}
	reasons := map[string]string{}
	for _, r := range run.Refusals {
		reasons[r.Model+"/"+r.Dataset] = r.Reason
	}
	if len(reasons) != 3 || !strings.Contains(reasons["broken/"], "model") || !strings.Contains(reasons["one/flat"], "shape") || reasons["two/flat"] == "" {
		t.Errorf("refusals %q", reasons)
	}
	if run.ShardCount() != 5*6 || run.Inputs() != 5*21 {
		t.Errorf("%d shards, %d inputs", run.ShardCount(), run.Inputs())
	}
	seen := map[int]bool{}
	for s := range run.CellShards(&run.Cells[0]) {
		d, _ := run.Dataset(s.Dataset)
		for _, i := range d.Indices(s) {
			seen[i] = true
		}
	}
	if len(seen) != 21 || !seen[0] || !seen[20] {
		t.Errorf("the shards cover %v", seen)
	}
}

// The identity follows contents, not places: another folder gives the same run, another seed,
// sample or byte does not.
func TestIdentity(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	small := strings.Replace(zooFile, "models/*.onnx", "models/one.onnx", 1)
	small = strings.Replace(small, "skip: [{model: two, noise: \"*-s0.5\"}]\n", "", 1)
	first := load(t, rt, zoo(t, t.TempDir(), small))
	again := load(t, rt, zoo(t, t.TempDir(), small))
	if first.ID != again.ID || first.Seed != again.Seed || first.Seed == 0 {
		t.Errorf("%s (seed %d) and %s (seed %d)", first.ID, first.Seed, again.ID, again.Seed)
	}
	for name, text := range subtest.Rows(map[string]string{
		"n": strings.Replace(small, "n: 200}", "n: 300}", 1), "seed": small + "seed: 4\n", "data": strings.Replace(small, "seed=1", "seed=2", 1),
		"sigma": strings.Replace(small, "0.25, 0.5", "0.25, 0.6", 1),
	}) {
		t.Run(name, func(t *testing.T) {
			if other := load(t, rt, zoo(t, t.TempDir(), text)); other.ID == first.ID {
				t.Errorf("%s: the same run", name)
			}
		})
	}
}

// A plan is exact at fixed n and expected, with a pilot, under a profile; what is done is taken
// off.
func TestPlan(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	text := strings.Replace(zooFile, "models/*.onnx", "models/one.onnx", 1)
	text = strings.Replace(text, "skip: [{model: two, noise: \"*-s0.5\"}]\n", "", 1)
	in, err := artifact.NewResolver(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	opener := &cell.Opener{Runtime: rt, Artifacts: in, Version: "test"}
	config := plan.DefaultConfig()
	config.Workers, config.Done = 3, half{}
	run := load(t, rt, zoo(t, dir, text))
	p, err := plan.Make(t.Context(), opener, run, config)
	if err != nil {
		t.Fatal(err)
	}
	if p.Passes != 3*21*210 || p.FixedPasses != p.Passes || p.Done != 3*10 || p.On.Workers != 3 || p.Seconds <= 0 || p.Bytes <= 0 || len(p.Refusals) != 1 {
		t.Errorf("%+v", p)
	}
	for _, c := range p.Prices {
		if want := c.Passes * c.SecondsPerPass * 11 / 21; c.Seconds < want*0.999 || c.Seconds > want*1.001 {
			t.Errorf("%s: %v seconds, want %v", c.Noise, c.Seconds, want)
		}
	}
	run = load(t, rt, zoo(t, dir, strings.Replace(text, "n: 200}", "adaptive: default}", 1)))
	config.Done = nil
	if p, err = plan.Make(t.Context(), opener, run, config); err != nil {
		t.Fatal(err)
	}
	if p.FixedPasses != 3*21*100_010 || p.Passes >= p.FixedPasses/3 || p.Passes <= 3*21*110 || p.Prices[0].Pilot < 3 {
		t.Errorf("expected %v of %v passes", p.Passes, p.FixedPasses)
	}
	work, n := 0.0, 0
	for seconds := range p.ShardSeconds(1) {
		work += seconds
		n++
	}
	// The simulator draws from the pilot's inputs; 63 draws miss the mean by less than half of it.
	if n != 18 || work < p.Seconds/2 || work > p.Seconds*2 {
		t.Errorf("%d shards of %v s in all, want 18 of about %v s", n, work, p.Seconds)
	}
}

// half is a store that has ten inputs of each cell.
type half struct{}

func (half) DoneInputs(context.Context, string, *matrix.Cell) (int, error) { return 10, nil }

// A model replaced after planning is noticed when it is opened.
func TestReplacedModel(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	run := load(t, rt, zoo(t, dir, strings.Replace(zooFile, "models/*.onnx", "models/t*.onnx", 1)))
	if err := os.WriteFile(filepath.Join(dir, "models/two.onnx"), append(demo.Model(), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := artifact.NewResolver(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	opener := &cell.Opener{Runtime: rt, Artifacts: in}
	c, err := run.Resolve(&run.Cells[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opener.Open(t.Context(), run, c); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("%v, want a mismatch", err)
	}
}

// Data that cannot be opened are a fault of the file, with its line.
func TestFaultyData(t *testing.T) {
	rt := runtimetest.Open(t)
	z, err := matrix.Load(zoo(t, t.TempDir(), strings.Replace(zooFile, "csv:flat.csv?label=0", "npy:flat.csv", 1)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = resolve.Resolve(t.Context(), rt, z, resolve.Options{})
	if !errors.Is(err, matrix.ErrFaulty) || !strings.Contains(err.Error(), "zoo.yaml:5: ") {
		t.Errorf("%v", err)
	}
}
