package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/train"
	"ucan/train/optim"
)

// errCrash stands for a process that dies: Run returns it at once, having saved nothing for it.
var errCrash = errors.New("crash")

// toy learns w with w·x ≈ label from noisy x. It counts steps, and crashes in a given one.
type toy struct {
	w, grad, mean []float32
	crash         int64 // step, from 0, before which it crashes; −1 for never
	crashEpoch    int   // validation, from 1, in which it crashes; 0 for never
	validations   int
	cancel        context.CancelFunc // called instead of crashing, where set
	diverge       bool
}

func newToy() *toy {
	return &toy{w: []float32{0.5, -0.25, 1}, grad: make([]float32, 3), mean: make([]float32, 1), crash: -1}
}

func (o *toy) Parameters() []optim.Parameter {
	return []optim.Parameter{{Name: "w", Values: o.w, Grad: o.grad, Decay: true, Rate: 1}}
}

func (o *toy) State() []train.State { return []train.State{{Name: "mean", Values: o.mean}} }

func (o *toy) Step(ctx context.Context, b *train.Batch) (train.Metrics, error) {
	if b.Step == o.crash {
		if o.cancel == nil {
			return train.Metrics{}, errCrash
		}
		o.cancel()
		return train.Metrics{}, context.Cause(ctx)
	}
	clear(o.grad)
	loss := 0.0
	for r := range b.Rows {
		x := b.Noisy[3*r : 3*r+3]
		e := -float32(b.Labels[r])
		for i, v := range x {
			e += o.w[i] * v
		}
		for i, v := range x {
			o.grad[i] += 2 * e * v / float32(b.Rows)
		}
		loss += float64(e) * float64(e) / float64(b.Rows)
	}
	o.mean[0] = 0.9*o.mean[0] + 0.1*float32(loss)
	if o.diverge {
		loss = math.NaN()
	}
	return train.Metrics{Loss: loss, Noisy: 1 / (1 + loss), Extra: []train.Figure{
		{Name: "first", Value: float64(o.w[0])}, {Name: "least", Value: loss, Over: train.Minimum},
		{Name: "most", Value: loss, Over: train.Maximum},
	}}, nil
}

func (o *toy) Validate(context.Context) (train.Validation, error) {
	o.validations++
	if o.validations == o.crashEpoch {
		return train.Validation{}, errCrash
	}
	d := 0.0
	for i, v := range o.w {
		d += math.Abs(float64(v) - float64(i))
	}
	return train.Validation{Score: math.Sin(40 * d), Clean: 0.5, Noisy: 0.25, Curve: []train.CertifiedAt{{Radius: 0.1, Accuracy: d}}}, nil
}

// feed makes batches as a function of epoch and index.
type feed struct{ batches int }

func (f feed) Batches() int { return f.batches }

func (f feed) Batch(_ context.Context, epoch, index int) (*train.Batch, error) {
	b := &train.Batch{Epoch: epoch, Index: index, Step: int64(epoch*f.batches + index), Rows: 4, Draws: 1, Noisy: make([]float32, 12), Labels: make([]int64, 4)}
	for i := range b.Noisy {
		b.Noisy[i] = float32(math.Sin(float64(1 + i + 12*(index+f.batches*epoch))))
	}
	for r := range b.Labels {
		b.Labels[r] = int64(r % 3)
	}
	return b, nil
}

const (
	epochs  = 4
	batches = 4
)

func configOf(dir string) train.Config {
	c := train.DefaultConfig(dir)
	c.Epochs, c.Average, c.Clip = epochs, 0.9, 1
	c.Optimizer = optim.DefaultConfig("adamw")
	c.Schedule = optim.DefaultSchedule("cosine", 0.05, epochs*batches)
	c.LogEvery, c.CheckpointEvery, c.Fingerprint = 2, 6, "test"
	c.Resume, c.Choices = true, map[string]string{"weights": "inputs"}
	return c
}

// logOf reads the log without times.
func logOf(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, train.LogName))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		delete(v, "seconds")
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	return out.String()
}

// outcome is what two runs must share.
func outcome(t *testing.T, dir string, o *toy, r train.Result) string {
	t.Helper()
	r.Seconds = 0
	best := "none"
	if r.Best != nil {
		best = fmt.Sprintf("%+v", *r.Best)
		r.Best = nil
	}
	return fmt.Sprintf("%v %v %+v best %s\n%s", o.w, o.mean, r, best, logOf(t, dir))
}

func run(t *testing.T, dir string, o *toy, change func(*train.Config)) (train.Result, error) {
	t.Helper()
	c := configOf(dir)
	if change != nil {
		change(&c)
	}
	return train.Run(context.Background(), c, o, o, feed{batches})
}

// variants are ways of running whose resumption differs.
func variants() map[string]func(*train.Config) {
	return map[string]func(*train.Config){
		"best":      nil,
		"last":      func(c *train.Config) { c.KeepBest = false },
		"plain":     func(c *train.Config) { c.KeepBest, c.Average, c.LogEvery = false, 0, 0 },
		"patience":  func(c *train.Config) { c.Patience, c.Average = 1, 0 },
		"nesterov":  func(c *train.Config) { c.Optimizer = optim.DefaultConfig("sgd"); c.Schedule.Peak = 0.01 },
		"every two": func(c *train.Config) { c.ValidateEvery = 2 },
	}
}

// TestResumeIsExact lets a run die before every step and in every validation, twice, and compares
// with an uninterrupted one: weights, state, result and every line of the log.
func TestResumeIsExact(t *testing.T) {
	for name, change := range subtest.Rows(variants()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, o := t.TempDir(), newToy()
			r, err := run(t, dir, o, change)
			if err != nil {
				t.Fatal(err)
			}
			want := outcome(t, dir, o, r)
			again := newToy() // a finished run takes no step and ends the same
			if r, err = run(t, dir, again, change); err != nil || outcome(t, dir, again, r) != want {
				t.Fatalf("a finished run that is resumed: %v, %s", err, outcome(t, dir, again, r))
			}
			check := func(label string, crashes ...func(*toy)) {
				dir := t.TempDir()
				for _, crash := range crashes {
					o := newToy()
					crash(o)
					if _, err := run(t, dir, o, change); err != nil && !errors.Is(err, errCrash) {
						t.Fatalf("%s: %v", label, err)
					}
				}
				o := newToy()
				r, err := run(t, dir, o, change)
				if err != nil {
					t.Fatalf("%s: %v", label, err)
				}
				if got := outcome(t, dir, o, r); got != want {
					t.Fatalf("%s:\n%s\nwant\n%s", label, got, want)
				}
			}
			every := int64(1)
			if name != "best" {
				every = 5
			}
			for step := int64(0); step < epochs*batches; step += every {
				at := func(o *toy) { o.crash = step }
				if step%3 > 0 {
					check(fmt.Sprintf("step %d", step), at)
				} else {
					check(fmt.Sprintf("step %d and later", step), at, func(o *toy) { o.crash = step + 4 })
				}
			}
			for e := 1; e <= epochs; e += 3 {
				check(fmt.Sprintf("validation %d", e), func(o *toy) { o.crashEpoch = e })
			}
		})
	}
}

// TestInterrupt cancels a run: it saves at once, so that no step is taken twice.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := newToy()
	o.crash, o.cancel = 7, cancel
	c := configOf(dir)
	c.CheckpointEvery = 1000
	if _, err := train.Run(ctx, c, o, o, feed{batches}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	first := int64(-1)
	c.Report = func(p train.Progress) {
		if first < 0 {
			first = p.Step
		}
	}
	o = newToy()
	r, err := train.Run(context.Background(), c, o, o, feed{batches})
	if err != nil {
		t.Fatal(err)
	}
	if first != 8 || r.Steps != epochs*batches {
		t.Errorf("went on with step %d and took %d", first, r.Steps)
	}
}

// TestDamage resumes from bundles in which files were cut off or removed.
func TestDamage(t *testing.T) {
	dir, o := t.TempDir(), newToy()
	r, err := run(t, dir, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(o.w, o.mean, r.BestEpoch)
	cut := func(name string, keep int64) func(dir string) error {
		return func(dir string) error { return os.Truncate(filepath.Join(dir, name), keep) }
	}
	for name, damage := range subtest.Rows(map[string]func(dir string) error{
		"latest torn":  cut("checkpoint/latest.ckpt", 100),
		"latest empty": cut("checkpoint/latest.ckpt", 0),
		"latest gone":  func(dir string) error { return os.Remove(filepath.Join(dir, "checkpoint/latest.ckpt")) },
		"both torn": func(dir string) error {
			return errors.Join(cut("checkpoint/latest.ckpt", 100)(dir), cut("checkpoint/previous.ckpt", 3)(dir))
		},
		"all gone": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "checkpoint")) },
		"log torn": cut("train.jsonl", 150),
		"log gone": func(dir string) error { return os.Remove(filepath.Join(dir, "train.jsonl")) },
		"a flipped bit": func(dir string) error {
			path := filepath.Join(dir, "checkpoint/latest.ckpt")
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)-40] ^= 1
			return os.WriteFile(path, b, 0o644)
		},
	}) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			half := newToy()
			half.crash = 13
			if _, err := run(t, dir, half, nil); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			warned := 0
			o := newToy()
			r, err := run(t, dir, o, func(c *train.Config) { c.Warn = func(string) { warned++ } })
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(o.w, o.mean, r.BestEpoch); got != want {
				t.Errorf("ended with %s, want %s", got, want)
			}
			if gone := strings.Contains(name, "gone") && !strings.Contains(name, "log"); (warned == 0) != gone {
				t.Errorf("%d warnings", warned)
			}
			logOf(t, dir) // every line that is left is whole
		})
	}
}

func TestMismatchAndChoices(t *testing.T) {
	dir, o := t.TempDir(), newToy()
	o.crash = 0 // even before the first step the choices are stored
	if _, err := run(t, dir, o, nil); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if c, ok := train.Stored(dir); !ok || c["weights"] != "inputs" {
		t.Errorf("stored choices %v, %v", c, ok)
	}
	if _, err := run(t, dir, newToy(), func(c *train.Config) { c.Fingerprint = "other" }); !errors.Is(err, train.ErrMismatch) {
		t.Errorf("error %v", err)
	}
	if _, ok := train.Stored(t.TempDir()); ok {
		t.Error("an empty folder has choices")
	}
}

func TestDiverged(t *testing.T) {
	o := newToy()
	o.diverge = true
	if _, err := run(t, t.TempDir(), o, nil); !errors.Is(err, train.ErrDiverged) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

// TestEpochSums compares an epoch's line with sums over its steps.
func TestEpochSums(t *testing.T) {
	dir := t.TempDir()
	var losses []float64
	o := newToy()
	_, err := run(t, dir, o, func(c *train.Config) {
		c.LogEvery = 1
		c.Report = func(p train.Progress) {
			if !p.EpochDone && p.Epoch == 2 {
				losses = append(losses, p.Loss)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(logOf(t, dir)), "\n")
	if len(lines) != epochs*(batches+1) {
		t.Fatalf("%d lines", len(lines))
	}
	var epoch struct {
		Kind                          string
		Epoch                         int
		Loss, Least, Most             float64
		Validation                    map[string]any
		Best                          bool
		Rate, Gradient_norm, Seconds_ float64
	}
	if err := json.Unmarshal([]byte(lines[2*(batches+1)-1]), &epoch); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range losses {
		sum += l
	}
	if epoch.Kind != "epoch" || epoch.Epoch != 2 || epoch.Validation == nil || math.Abs(epoch.Loss-sum/batches) > 1e-12 ||
		epoch.Least != slices.Min(losses) || epoch.Most != slices.Max(losses) {
		t.Errorf("epoch %+v, losses %v", epoch, losses)
	}
}

func TestConfigFaults(t *testing.T) {
	for name, change := range subtest.Rows(map[string]func(*train.Config){
		"epochs":   func(c *train.Config) { c.Epochs = 0 },
		"steps":    func(c *train.Config) { c.Schedule.Steps++ },
		"clip":     func(c *train.Config) { c.Clip = math.NaN() },
		"average":  func(c *train.Config) { c.Average = 1 },
		"cadence":  func(c *train.Config) { c.CheckpointEvery = 0 },
		"negative": func(c *train.Config) { c.Patience = -1 },
		"clock":    func(c *train.Config) { c.Now = nil },
		"folder":   func(c *train.Config) { c.Dir = "" },
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := run(t, t.TempDir(), newToy(), change); !errors.Is(err, optim.ErrConfig) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A run that is resumed on another kind of processor goes on and says so; what it ends with names
// both.
func TestResumeOnAnotherProcessor(t *testing.T) {
	on := func(kind string, warnings *[]string) func(c *train.Config) {
		return func(c *train.Config) {
			c.Processor = kind
			c.Warn = func(text string) { *warnings = append(*warnings, text) }
		}
	}
	for _, tt := range []struct {
		name, before, now string
		warned            bool
		want              []string
	}{
		{"same", "a", "a", false, []string{"a"}},
		{"other", "a", "b", true, []string{"a", "b"}},
		{"of an earlier version", "", "b", false, []string{"b"}},
		{"to an unknown one", "a", "", false, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, o := t.TempDir(), newToy()
			var warnings []string
			o.crash = 9
			if _, err := run(t, dir, o, on(tt.before, &warnings)); !errors.Is(err, errCrash) || len(warnings) > 0 {
				t.Fatalf("%v, warnings %q", err, warnings)
			}
			result, err := run(t, dir, newToy(), on(tt.now, &warnings))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(result.Processors, tt.want) {
				t.Errorf("it was trained on %q, want %q", result.Processors, tt.want)
			}
			if warned := len(warnings) == 1 && strings.Contains(warnings[0], "begun on a and continues on b"); warned != tt.warned || len(warnings) > 1 {
				t.Errorf("warnings %q", warnings)
			}
			warnings = nil
			if result, err = run(t, dir, newToy(), on("c", &warnings)); err != nil || len(warnings) > 0 || !slices.Equal(result.Processors, tt.want) {
				t.Errorf("a finished run on a third kind: %v, warnings %q, processors %q", err, warnings, result.Processors)
			}
		})
	}
}
