package harden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/results"
)

// TestSplit: no input has two uses, none is lost, and both kinds of order of classes are spread.
func TestSplit(t *testing.T) {
	for _, n := range []int{56, 60, 199, 1000, 2500, 25_000} {
		s, err := splitOf(n, 0)
		if err != nil {
			t.Fatal(err)
		}
		uses := map[int]int{}
		for _, shard := range []string{s.Choice, s.Certified} {
			for _, i := range indices(t, n, shard, "") {
				uses[i]++
			}
		}
		rest := indices(t, n, "", s.Except)
		for _, i := range rest {
			uses[i]++
		}
		if len(uses) != n || len(rest) != s.Training || len(indices(t, n, s.Certified, "")) != s.CertifiedInputs || len(indices(t, n, s.Choice, "")) != s.Inputs {
			t.Errorf("%d inputs: %+v: %d are used", n, s, len(uses))
		}
		for i, times := range uses {
			if times != 1 {
				t.Fatalf("%d inputs: input %d has %d uses", n, i, times)
			}
		}
		if n < 1000 {
			continue
		}
		turns, blocks := map[int]bool{}, map[int]bool{}
		for _, i := range indices(t, n, s.Certified, "") {
			turns[i%10], blocks[i*10/n] = true, true
		}
		if len(turns) != 10 || len(blocks) != 10 {
			t.Errorf("%d inputs: classes in turns: %d of 10, in blocks: %d", n, len(turns), len(blocks))
		}
	}
	if _, err := splitOf(55, 0); err == nil {
		t.Error("55 inputs are split")
	}
	held, err := splitOf(1000, 500)
	if err != nil || held.Except != held.Choice || held.Training+held.Inputs != 1000 || len(indices(t, 500, held.Certified, "")) != held.CertifiedInputs {
		t.Errorf("with data to certify: %+v, %v", held, err)
	}
}

// TestNarrowed: a part of a shard is a part of it, spread over the classes as it is.
func TestNarrowed(t *testing.T) {
	for wanted := 8; wanted < 400; wanted++ {
		part, n := narrowed("1/11", sharded(2000, 1, 11), wanted)
		inside := indices(t, 2000, "1/11", "")
		got := indices(t, 2000, part, "")
		if len(got) != n || 4*n > 5*wanted && n > wanted+1 {
			t.Fatalf("%d wanted: %s has %d, said to have %d", wanted, part, len(got), n)
		}
		turns := map[int]bool{}
		for _, i := range got {
			turns[i%10] = true
			if !slices.Contains(inside, i) {
				t.Fatalf("%d wanted: %s has input %d, which the shard has not", wanted, part, i)
			}
		}
		if len(got) >= 10 && len(turns) != 10 {
			t.Errorf("%d wanted: %s has %d of 10 classes", wanted, part, len(turns))
		}
	}
}

func indices(t *testing.T, n int, shard, except string) []int {
	t.Helper()
	s := dataset.DefaultSelection()
	var err error
	if shard != "" {
		if s.Shard, s.Shards, err = dataset.ParseShard(shard); err != nil {
			t.Fatal(err)
		}
	}
	if except != "" {
		if s.Except, err = dataset.ParseExcept(strings.Split(except, ",")); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.Indices(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBudget: what is planned takes no more than its share, and no less than what makes sense.
func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		inputs int
		rows   float64
		share  time.Duration
		want   sampling
	}{
		{200, 1e6, time.Minute, sampling{200, 10_000}},
		{200, 1e4, time.Minute, sampling{200, 3000}},
		{200, 3e3, time.Minute, sampling{200, 1000}}, // a little more than there is time for
		{200, 2e3, time.Minute, sampling{67, 1750}},
		{200, 1e3, time.Minute, sampling{29, 2050}},
		{200, 1, time.Minute, sampling{8, 1000}},
	} {
		if _, got := fit("1/11", tt.inputs, tt.rows, tt.share, fewestFinal, mostFinal); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
	for _, tt := range []struct {
		inputs, batch int
		step, share   time.Duration
		want          schedule
	}{
		{1280, 128, time.Second, 35 * time.Second, schedule{3, 1280}},
		{1280, 128, time.Millisecond, time.Hour, schedule{mostEpochs, 1280}},
		{12_800, 128, time.Second, 35 * time.Second, schedule{1, 35 * 128}},
		{12_800, 128, time.Minute, 5 * time.Minute, schedule{}},
	} {
		if got := plan(tt.inputs, tt.batch, tt.step, tt.share); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

func table200(t *testing.T, radius func(i int) float64) []results.Row {
	t.Helper()
	rows := make([]results.Row, 200)
	for i := range rows {
		rows[i] = results.Row{Index: i, Correct: true, Status: results.Certified, ALM: radius(i)}
	}
	return rows
}

// TestChoice: a dearer candidate is taken only where it is better beyond chance.
func TestChoice(t *testing.T) {
	plain := measured("plain", table200(t, func(i int) float64 { return float64(i%10) / 10 }))
	same := measured("same", table200(t, func(i int) float64 { return float64((i+1)%10) / 10 }))
	better := measured("better", table200(t, func(i int) float64 { return float64(i%10)/10 + 0.1 }))
	wrong := measured("wrong", []results.Row{})
	wrong.Verdict = "not possible: no gradient"
	wrongClass := table200(t, func(int) float64 { return 5 })
	for i := range wrongClass {
		wrongClass[i].Correct = false
	}
	for name, tt := range map[string]struct {
		all  []Candidate
		want int
	}{
		"the same":               {[]Candidate{plain, same}, 0},
		"better":                 {[]Candidate{plain, same, better}, 2},
		"the first better":       {[]Candidate{plain, better, better}, 1},
		"not measured":           {[]Candidate{plain, wrong, better}, 2},
		"large but wrong":        {[]Candidate{plain, measured("wrong class", wrongClass)}, 0},
		"nothing certified ever": {[]Candidate{measured("a", table200(t, func(int) float64 { return 0 })), measured("b", table200(t, func(int) float64 { return 0 }))}, 0},
	} {
		if got := choose(tt.all); got != tt.want {
			t.Errorf("%s: %q is taken: %+v", name, tt.all[got].Name, tt.all)
		}
		for _, c := range tt.all {
			if c.Verdict == "" {
				t.Errorf("%s: %q has no verdict", name, c.Name)
			}
		}
	}
}

// fake stands in for the commands: it writes what they write.
type fake struct {
	ran     []string
	refuse  map[string]bool // by a word of the command line
	stopAt  int             // the number of the command at which the run is stopped; 0: never
	stop    context.CancelFunc
	radiusX float64 // what fine-tuning multiplies radii by
}

var errRefused = errors.New("refused")

func (f *fake) Takes([]string, string) bool { return true }
func (f *fake) Refused(err error) bool      { return errors.Is(err, errRefused) }
func value(args []string, name string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return v
		}
	}
	return ""
}

func (f *fake) Run(ctx context.Context, args []string) ([]byte, error) {
	line := strings.Join(args, " ")
	f.ran = append(f.ran, line)
	if len(f.ran) == f.stopAt {
		f.stop()
		return nil, ctx.Err()
	}
	for word := range f.refuse {
		if strings.Contains(line, word) {
			return nil, fmt.Errorf("%s: %w", word, errRefused)
		}
	}
	out := value(args, "out")
	switch args[0] {
	case "predict":
		return json.Marshal(map[string]any{"labelled": 200, "accuracy": 0.9, "seconds": 0.2})
	case "certify":
		return nil, f.certify(args, out)
	case "train":
		if err := os.MkdirAll(out, 0o777); err != nil {
			return nil, err
		}
		return nil, os.WriteFile(filepath.Join(out, "train.jsonl"), []byte("{\"step\":1,\"seconds\":1}\n{\"step\":5,\"seconds\":1.4}\n"), 0o666)
	case "export":
		return nil, os.WriteFile(out, []byte(strings.Join(args, " ")), 0o666)
	}
	return nil, nil
}

func (f *fake) certify(args []string, out string) error {
	radius := 0.1
	if strings.Contains(value(args, "model")+value(args, "denoiser"), "tuned") {
		radius *= f.radiusX
	}
	var b strings.Builder
	b.WriteString(strings.Join(results.Columns(), "\t") + "\n")
	for i := range 200 {
		fmt.Fprintf(&b, "%d\t0\t0\t%f\t1\t0.01\tl2\t%f\t%f\t%f\t%f\t0.9\t90\t100\tdeployed\tcertified\n", i, radius, radius, radius, radius/10, radius)
	}
	return os.WriteFile(out, []byte(b.String()), 0o666)
}

// TestCommands: the order of the steps, what each sees, and that a stopped run goes on behind the
// last one that was finished.
func TestCommands(t *testing.T) {
	whole := &fake{radiusX: 3}
	h, err := hardened(t, t.TempDir(), whole, 0)
	if err == nil || !strings.Contains(err.Error(), "compare") { // the fake writes no certificates to compare
		t.Fatalf("%v", err)
	}
	if h.record.Chosen != FineTuned || len(h.record.Candidates) != 3 {
		t.Errorf("chosen %q of %+v", h.record.Chosen, h.record.Candidates)
	}
	for _, line := range whole.ran {
		if training := strings.HasPrefix(line, "train "); training != strings.Contains(line, "--except="+h.record.Split.Except) {
			t.Errorf("the inputs of %q", line)
		}
		if choice := strings.Contains(line, "--shard="+h.record.Split.Certified); choice != strings.Contains(line, "before.tsv") && choice != strings.Contains(line, "after.tsv") {
			t.Errorf("the inputs to certify are used by %q", line)
		}
	}
	for stop := 1; stop <= len(whole.ran); stop++ {
		dir := t.TempDir()
		first := &fake{radiusX: 3}
		if _, err = hardened(t, dir, first, stop); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at command %d: %v", stop, err)
		}
		second := &fake{radiusX: 3}
		again, err := hardened(t, dir, second, 0)
		if err == nil || again.record.Chosen != FineTuned {
			t.Fatalf("stopped at command %d, went on: %v", stop, err)
		}
		commands := func(all []string, dir string) (out []string) {
			for _, line := range all {
				out = append(out, strings.ReplaceAll(line, dir, "DIR"))
			}
			return out
		}
		got := commands(append(first.ran[:stop-1:stop-1], second.ran...), dir)
		if want := commands(whole.ran, h.Dir); !slices.Equal(got, want) {
			t.Errorf("stopped at command %d, the commands were\n%s\nwant\n%s", stop, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// hardened runs with fake commands and stops at one of them.
func hardened(t *testing.T, dir string, f *fake, stop int) (*Hardening, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.stopAt, f.stop = stop, cancel
	h := &Hardening{
		Commands: f, Dir: dir, Resume: true, Budget: time.Minute, Seed: "1", Source: "data", Inputs: 2000, Shape: []int{1, 28, 28},
		Model: []Flag{{"model", "m.onnx"}}, Noise: []Flag{{"sigma", "0.5"}},
	}
	_, err := h.Run(ctx)
	return h, err
}

// TestRefusals: what is not possible is left out and said; what changes nothing is not taken.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		f       *fake
		chosen  string
		verdict string // of the last candidate
	}{
		"no batch normalisation":    {&fake{radiusX: 3, refuse: map[string]bool{"--batch-norm": true}}, FineTuned, "larger"},
		"no fine-tuning":            {&fake{radiusX: 3, refuse: map[string]bool{"train base": true}}, Nothing, "not larger"},
		"no training":               {&fake{radiusX: 3, refuse: map[string]bool{"train base": true, "objective": true}}, Nothing, "not possible"},
		"tuning makes it no better": {&fake{radiusX: 1}, Nothing, "not larger"},
		"tuning makes it worse":     {&fake{radiusX: 0.5}, Nothing, "not larger"},
	} {
		h, _ := hardened(t, t.TempDir(), tt.f, 0)
		last := h.record.Candidates[len(h.record.Candidates)-1]
		if h.record.Chosen != tt.chosen || !strings.Contains(last.Verdict, tt.verdict) {
			t.Errorf("%s: %q is taken, last: %+v", name, h.record.Chosen, last)
		}
	}
	other := &Hardening{Commands: &fake{}, Dir: t.TempDir(), Inputs: 2000, Source: "data", Resume: true, Seed: "1"}
	if err := os.WriteFile(filepath.Join(other.Dir, "thesis.tex"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder of something else: %v", err)
	}
}

// TestOtherSettings: a run goes on only with the settings that it began with.
func TestOtherSettings(t *testing.T) {
	dir := t.TempDir()
	if _, err := hardened(t, dir, &fake{radiusX: 1}, 3); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Hardening){
		"noise": func(h *Hardening) { h.Noise = []Flag{{"sigma", "1"}} },
		"seed":  func(h *Hardening) { h.Seed = "2" },
		"time":  func(h *Hardening) { h.Budget *= 2 },
		"anew":  func(h *Hardening) { h.Resume = false },
	} {
		h := &Hardening{
			Commands: &fake{}, Dir: dir, Resume: true, Budget: time.Minute, Seed: "1", Source: "data", Inputs: 2000, Shape: []int{1, 28, 28},
			Model: []Flag{{"model", "m.onnx"}}, Noise: []Flag{{"sigma", "0.5"}},
		}
		change(h)
		if _, err := h.Run(t.Context()); err == nil {
			t.Errorf("%s: went on", name)
		}
	}
}
