package checkpoint

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/atomicfile"
	"ucan/train/optim"
)

type progress struct {
	Step int64   `json:"step"`
	Loss float64 `json:"loss"`
}

func tensors(shift float32) []optim.Tensor {
	long := make([]float32, 5000)
	for i := range long {
		long[i] = float32(i)*0.37 + shift
	}
	return []optim.Tensor{
		{Name: "w", Values: []float32{shift, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 1e-40, math.MaxFloat32}},
		{Name: "long", Values: long},
	}
}

// load restores the newest checkpoint of dir and returns its step.
func load(t *testing.T, dir string) (step int64, damaged error) {
	t.Helper()
	c, damaged := Load(dir)
	if c == nil {
		return -1, damaged
	}
	var h progress
	if err := c.Run(&h); err != nil {
		t.Fatal(err)
	}
	got, want := tensors(-1), tensors(float32(h.Step))
	if err := c.Restore(got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		for j := range got[i].Values {
			if math.Float32bits(got[i].Values[j]) != math.Float32bits(want[i].Values[j]) {
				t.Fatalf("%s[%d] is %v, want %v", got[i].Name, j, got[i].Values[j], want[i].Values[j])
			}
		}
	}
	if h.Loss != 0.1+float64(h.Step) {
		t.Errorf("loss %v", h.Loss)
	}
	return h.Step, damaged
}

func save(t *testing.T, dir string, step int64) {
	t.Helper()
	if err := Save(dir, progress{step, 0.1 + float64(step)}, tensors(float32(step))); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "checkpoint")
	if step, err := load(t, dir); step != -1 || err != nil {
		t.Errorf("a folder that is not there: %d, %v", step, err)
	}
	for step := range int64(3) {
		save(t, dir, step)
		if got, err := load(t, dir); got != step || err != nil {
			t.Errorf("step %d, want %d: %v", got, step, err)
		}
	}
	c, err := readFile(filepath.Join(dir, "previous.ckpt"))
	if err != nil || c.tensors["w"] == nil || c.tensors["v"] != nil {
		t.Errorf("previous: %v", err)
	}
	for _, wrong := range [][]optim.Tensor{{{Name: "v", Values: make([]float32, 5)}}, {{Name: "w", Values: make([]float32, 4)}}} {
		if err := c.Restore(wrong); !errors.Is(err, errDamaged) {
			t.Errorf("restoring %v: %v", wrong, err)
		}
	}
}

// TestEveryCutIsNoticed cuts a file at many lengths and flips bits all over it.
func TestEveryCutIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	if err := writeFile(path, progress{1, 1.1}, tensors(1)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte, what string, at int) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readFile(path); !errors.Is(err, errDamaged) {
			t.Errorf("%s at %d: %v", what, at, err)
		}
	}
	for n := 0; n < len(whole); n += 1 + n/8 {
		check(whole[:n], "cut", n)
		flipped := slices.Clone(whole)
		flipped[n] ^= 0x10
		check(flipped, "flip", n)
	}
	check(append(slices.Clone(whole), 0), "a byte more", len(whole))
	if _, err := readFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestKilledWhileSaving leaves the folder in every state that a save goes through.
func TestKilledWhileSaving(t *testing.T) {
	at := func(dir, name string) string { return filepath.Join(dir, name) }
	for name, c := range subtest.Rows(map[string]struct {
		kill func(dir string) error
		want int64
	}{
		"half of a new file": {func(dir string) error { return os.WriteFile(at(dir, ".fresh.ckpt.tmp"), []byte("ucan"), 0o644) }, 2},
		"before the first rename": {func(dir string) error {
			return writeFile(at(dir, "fresh.ckpt"), progress{3, 3.1}, tensors(3))
		}, 3},
		"between the renames": {func(dir string) error {
			return errors.Join(writeFile(at(dir, "fresh.ckpt"), progress{3, 3.1}, tensors(3)), os.Rename(at(dir, "latest.ckpt"), at(dir, "previous.ckpt")))
		}, 3},
		"the latest damaged later": {func(dir string) error { return os.Truncate(at(dir, "latest.ckpt"), 999) }, 1},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			save(t, dir, 1)
			save(t, dir, 2)
			if err := c.kill(dir); err != nil {
				t.Fatal(err)
			}
			step, damaged := load(t, dir)
			if step != c.want || (damaged != nil) != (c.want == 1) {
				t.Errorf("%s: step %d, want %d; damaged: %v", name, step, c.want, damaged)
			}
			save(t, dir, 4)
			if step, _ = load(t, dir); step != 4 {
				t.Errorf("%s: step %d after the next save", name, step)
			}
		})
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Lock(dir); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err = release(); err != nil {
		t.Fatal(err)
	}
	if release, err = Lock(dir); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// TestAFailedWriteLeavesTheOld file as it was.
func TestAFailedWriteLeavesTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := atomicfile.WriteLockedBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, func() {}, nil); err == nil {
		t.Error("a progress that JSON cannot hold was written")
	}
	if err := atomicfile.WriteLockedBytes(filepath.Join(path, "below"), nil); err == nil {
		t.Error("a file below a file was written")
	}
	if b, err := os.ReadFile(path); string(b) != "old" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
