package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/digits"
	"ucan/fixtures/subtest"
	"ucan/smooth/certificate"
)

// certifyArgs is a small run of the demonstration model.
func certifyArgs(model string, more ...string) []string {
	return append([]string{
		"certify", "--model", model, "--data", "digits?n=60", "--sigma", "0.25", "--n", "400", "--max", "8", "--seed", "7", "--quiet",
	}, more...)
}

func TestCertifyWritesWhatItPromises(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	tsv, jsonl, plot := filepath.Join(dir, "a.tsv"), filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.png")
	got := want(t, exitDone, certifyArgs(model, "--out", tsv, "--json", jsonl, "--plot", plot, "--format", "json")...)
	var summary struct {
		Inputs int
		ACR    float64
		Curve  []struct {
			Radius            float64
			CertifiedAccuracy float64 `json:"certified_accuracy"`
		}
		Samples int64
	}
	if err := json.Unmarshal([]byte(got.stdout), &summary); err != nil {
		t.Fatalf("stdout is no JSON document: %v\n%s", err, got.stdout)
	}
	if summary.Inputs != 8 || summary.Samples != 8*500 || len(summary.Curve) == 0 || !(summary.ACR > 0.2) {
		t.Errorf("summary %+v", summary)
	}
	lines := strings.Split(strings.TrimSpace(read(t, tsv)), "\n")
	if lines[0] != "idx\tlabel\tpredict\tradius\tcorrect\ttime\tnorm\tl1\tl2\tlinf\talm\tp_lower\tk\tn\tguarantee\tstatus" || len(lines) != 9 {
		t.Errorf("table of %d lines, header %q", len(lines), lines[0])
	}
	for _, line := range strings.Split(strings.TrimSpace(read(t, jsonl)), "\n") {
		for _, key := range []string{`"schema":"ucan.certificate/1"`, `"guarantee":"deployed"`, `"arithmetic":"float32"`, `"provider":"cpu"`, `"seed":7`} {
			if !strings.Contains(line, key) {
				t.Errorf("certificate lacks %s: %s", key, line)
			}
		}
		if strings.Contains(line, dir) {
			t.Errorf("certificate holds a path of this machine: %s", line)
		}
	}
	if data := read(t, plot); !strings.HasPrefix(data, "\x89PNG") {
		t.Error("the plot is no PNG")
	}
	want(t, exitDone, "verify", jsonl)
	want(t, exitDone, "verify", jsonl, "--resample", "200", "--model", model, "--data", "digits?n=60", "--quiet")
	want(t, exitUsage, certifyArgs(model, "--out", tsv)...)
}

func TestVerifyFindsForgeries(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	jsonl := filepath.Join(dir, "a.jsonl")
	want(t, exitDone, certifyArgs(model, "--json", jsonl, "--max", "2")...)
	genuine := read(t, jsonl)
	for name, edit := range subtest.Rows(map[string]func(string) string{
		"a larger radius": func(s string) string { return strings.Replace(s, `"R":0.`, `"R":1.`, 1) },
		"another class":   func(s string) string { return strings.Replace(s, `"predict":`, `"predict":1`, 1) },
		"more votes":      func(s string) string { return strings.Replace(s, `"n":400`, `"n":4000`, 1) },
		"another seed is allowed to differ, but the input is not": func(s string) string {
			return strings.Replace(s, `"index":0`, `"index":5`, 1)
		},
		"not JSON": func(s string) string { return "{" + s },
	}) {
		t.Run(name, func(t *testing.T) {
			forged := edit(genuine)
			if forged == genuine {
				t.Fatal("the forgery changed nothing")
			}
			path := filepath.Join(t.TempDir(), "forged.jsonl")
			if err := os.WriteFile(path, []byte(forged), 0o644); err != nil {
				t.Fatal(err)
			}
			want(t, exitCheck, "verify", path)
		})
	}
	want(t, exitFailed, "verify", filepath.Join(dir, "none.jsonl"))
	// A forger seals what was altered again, so that the id tells nothing.
	line, _, _ := strings.Cut(genuine, "\n")
	one := filepath.Join(dir, "one.jsonl")
	if err := os.WriteFile(one, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	for field, edit := range subtest.Rows(map[string]func(c *certificate.Certificate){
		"model.decision":       func(c *certificate.Certificate) { c.Model.Decision = "oracle" },
		"statistics.selection": func(c *certificate.Certificate) { c.Statistics.Selection = nil },
		"warnings":             func(c *certificate.Certificate) { c.Warnings = []string{"proved by hand"} },
	}) {
		t.Run(field, func(t *testing.T) {
			path := filepath.Join(dir, "sealed.jsonl")
			altered(t, one, path, func(_ int, c *certificate.Certificate) { edit(c) })
			if got := want(t, exitCheck, "verify", path); !strings.Contains(got.stdout, field) || strings.Contains(got.stdout, " id ") {
				t.Errorf("%s: verify says\n%s", field, got.stdout)
			}
		})
	}
}

func TestSameBytesWhateverTheWay(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	want(t, exitDone, certifyArgs(model, "--out", path("one.tsv"), "--workers", "1", "--batch", "32")...)
	reference := timeless(t, path("one.tsv"))
	want(t, exitDone, certifyArgs(model, "--out", path("two.tsv"), "--workers", "2", "--batch", "32")...)
	if timeless(t, path("two.tsv")) != reference {
		t.Error("two workers give another table than one")
	}
	want(t, exitDone, certifyArgs(model, "--out", path("s0.tsv"), "--shard", "0/2", "--batch", "32")...)
	want(t, exitDone, certifyArgs(model, "--out", path("s1.tsv"), "--shard", "1/2", "--batch", "32")...)
	even, odd := strings.SplitAfter(timeless(t, path("s0.tsv")), "\n"), strings.SplitAfter(timeless(t, path("s1.tsv")), "\n")
	merged := even[0]
	for i := 1; i < len(even); i++ {
		merged += even[i]
		if i < len(odd) {
			merged += odd[i]
		}
	}
	if merged != reference {
		t.Error("two shards merged give another table than one run")
	}
	want(t, exitDone, certifyArgs(model, "--out", path("wide.tsv"), "--batch", "500")...)
	if independent(t, model) && timeless(t, path("wide.tsv")) != reference {
		t.Error("batch 500 gives another table than batch 32, though the probe found the scores independent of the batch")
	}
}

// independent asks inspect whether the scores do not depend on the batch size.
func independent(t *testing.T, model string) bool {
	t.Helper()
	var report struct {
		Probe struct {
			BatchIndependent bool `json:"batch_independent"`
		}
	}
	if err := json.Unmarshal([]byte(want(t, exitDone, "inspect", model, "--format", "json").stdout), &report); err != nil {
		t.Fatal(err)
	}
	return report.Probe.BatchIndependent
}

func TestResumeAfterKill(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	want(t, exitDone, certifyArgs(model, "--out", path("whole.tsv"), "--json", path("whole.jsonl"), "--batch", "32")...)
	args := certifyArgs(model, "--out", path("torn.tsv"), "--json", path("torn.jsonl"), "--batch", "32")
	cmd := command(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(time.Millisecond) { // a loaded machine is slow to start
		data, err := os.ReadFile(path("torn.tsv"))
		if err == nil && bytes.Count(data, []byte("\n")) >= 3 || time.Now().After(deadline) {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	// A kill can also tear a line; make sure that one is torn.
	f, err := os.OpenFile(path("torn.tsv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("7\t3\t"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, exitUsage, append(certifyArgs(model, "--out", path("torn.tsv"), "--json", path("torn.jsonl"), "--batch", "32", "--resume"), "--n", "500")...)
	want(t, exitDone, append(args, "--resume")...)
	if timeless(t, path("torn.tsv")) != timeless(t, path("whole.tsv")) {
		t.Errorf("the resumed table differs:\n%s", read(t, path("torn.tsv")))
	}
	want(t, exitDone, append(args, "--resume")...) // nothing is left to do
}

func TestInterruptedRunsExit130(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	out := filepath.Join(dir, "long.tsv")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() { // the run is under way once it has begun its table
		for ctx.Err() == nil && lines(out) < 1 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	got := ucanContext(t, ctx, "certify", "--model", model, "--data", "digits", "--sigma", "0.25", "--n", "100000", "--batch", "32", "--workers", "1", "--out", out, "--quiet")
	if got.code != exitInterrupted || !strings.Contains(got.stderr, "--resume") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}

func TestFromCounts(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	jsonl := filepath.Join(dir, "a.jsonl")
	want(t, exitDone, certifyArgs(model, "--json", jsonl, "--out", filepath.Join(dir, "a.tsv"))...)
	want(t, exitDone, "certify", "--from-counts", jsonl, "--out", filepath.Join(dir, "same.tsv"))
	if timeless(t, filepath.Join(dir, "same.tsv")) != timeless(t, filepath.Join(dir, "a.tsv")) {
		t.Error("without other terms the certificates changed")
	}
	derived := filepath.Join(dir, "strict.jsonl")
	want(t, exitDone, "certify", "--from-counts", jsonl, "--alpha", "0.00001", "--json", derived)
	want(t, exitDone, "verify", derived)
	fresh := filepath.Join(dir, "fresh.tsv")
	want(t, exitDone, certifyArgs(model, "--alpha", "0.00001", "--out", fresh)...)
	want(t, exitDone, "certify", "--from-counts", jsonl, "--alpha", "0.00001", "--out", filepath.Join(dir, "strict.tsv"))
	if timeless(t, filepath.Join(dir, "strict.tsv")) != timeless(t, fresh) {
		t.Error("certificates from counts differ from those of a run at that alpha")
	}
	want(t, exitUsage, "certify", "--from-counts", jsonl, "--alpha", "2")
	// What the votes cannot follow is refused, not left unheard.
	for _, more := range [][]string{{"--sigma", "5"}, {"--joint"}, {"--n", "100000"}, {"--adaptive", "default"}, {"--noise", "laplace"}, {"--arithmetic", "lattice"}} {
		args := append([]string{"certify", "--from-counts", jsonl, "--out", filepath.Join(dir, "none.tsv")}, more...)
		if got := want(t, exitUsage, args...); !strings.Contains(got.stderr, "only --alpha") {
			t.Errorf("%v: %s", more, got.stderr)
		}
	}
}

func TestAdaptiveRun(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	jsonl := filepath.Join(dir, "a.jsonl")
	want(t, exitDone, certifyArgs(model, "--adaptive", "fast", "--n", "3000", "--grid", "0.1,0.3", "--max", "3", "--json", jsonl)...)
	if text := read(t, jsonl); !strings.Contains(text, `"method":"adaptive"`) || !strings.Contains(text, `"profile":"fast"`) {
		t.Errorf("certificates do not say how they were made: %s", text)
	}
	want(t, exitDone, "verify", jsonl)
	forged := strings.Replace(read(t, jsonl), `"failures":`, `"failures":9`, 1)
	if forged == read(t, jsonl) {
		t.Fatal("the forgery changed nothing")
	}
	if err := os.WriteFile(jsonl, []byte(forged), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitCheck, "verify", jsonl)
}

func TestCleanCheckRefusesAWrongScale(t *testing.T) {
	t.Parallel()
	_, model := workshop(t)
	args := certifyArgs(model, "--std", "0.00001", "--mean", "3000")
	got := want(t, exitRefused, args...)
	if !strings.Contains(got.stderr, "--force") {
		t.Errorf("the refusal does not say how to override it: %s", got.stderr)
	}
	want(t, exitDone, append(args, "--force")...)
}

func TestPredict(t *testing.T) {
	t.Parallel()
	_, model := workshop(t)
	var total struct {
		Inputs, Correct, Abstained int
		Accuracy                   float64
	}
	plain := want(t, exitDone, "predict", "--model", model, "--data", "digits?n=60", "--n", "0", "--format", "json")
	if err := json.Unmarshal([]byte(plain.stdout), &total); err != nil {
		t.Fatal(err)
	}
	if total.Inputs != 60 || total.Correct < 57 || total.Abstained != 0 {
		t.Errorf("plain classification: %+v", total)
	}
	smoothed := want(t, exitDone, "predict", "--model", model, "--data", "digits?n=60", "--max", "10", "--sigma", "0.25", "--n", "100", "--format", "json")
	if err := json.Unmarshal([]byte(smoothed.stdout), &total); err != nil {
		t.Fatal(err)
	}
	if total.Inputs != 10 || total.Correct < 8 {
		t.Errorf("smoothed prediction: %+v", total)
	}
}

// digitFolder writes drawn digits as PNG files in class folders, and one file that is no image.
func digitFolder(t *testing.T, count int) string {
	t.Helper()
	dir := t.TempDir()
	generator := digits.New(digits.TestSeed)
	pixels := make([]float32, digits.Pixels)
	for i := range count {
		label := generator.Image(i, pixels)
		picture := image.NewGray(image.Rect(0, 0, digits.Size, digits.Size))
		for p, v := range pixels {
			picture.Pix[p] = uint8(v*255 + 0.5)
		}
		class := filepath.Join(dir, strconv.Itoa(label))
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if err := png.Encode(&data, picture); err != nil {
			t.Fatal(err)
		}
		content := data.Bytes()
		if i == 3 {
			content = content[:len(content)/2]
		}
		if err := os.WriteFile(filepath.Join(class, strconv.Itoa(i)+".png"), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBadInputsFailAlone(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	folder := digitFolder(t, 20)
	tsv, jsonl := filepath.Join(dir, "a.tsv"), filepath.Join(dir, "a.jsonl")
	args := []string{
		"certify", "--model", model, "--data", "folder:" + folder, "--sigma", "0.25", "--n", "100", "--seed", "1",
		"--max-failures", "0.2", "--quiet", "--out", tsv, "--json", jsonl,
	}
	got := want(t, exitFailed, args...)
	if !strings.Contains(got.stderr, "1 of 20") {
		t.Errorf("the error does not count the failed input: %s", got.stderr)
	}
	table := read(t, tsv)
	if strings.Count(table, "\tfailed\n") != 1 || strings.Count(table, "\tcertified\n") < 17 {
		t.Errorf("table:\n%s", table)
	}
	if strings.Count(read(t, jsonl), `"status":"failed"`) != 1 {
		t.Error("the failed input has no certificate that says so")
	}
	want(t, exitDone, "verify", jsonl)
	want(t, exitFailed, "certify", "--model", model, "--data", "folder:"+folder, "--sigma", "0.25", "--n", "100", "--max-failures", "0", "--quiet")
}

func TestStrictProvidersNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, model := workshop(t)
	got := ucan(t, certifyArgs(model, "--provider", "cuda", "--max", "1")...)
	switch got.code {
	case exitDone: // a machine with CUDA
	case exitFailed:
		if !strings.Contains(got.stderr, ".so") && !strings.Contains(got.stderr, ".dll") && !strings.Contains(got.stderr, "not available") {
			t.Errorf("the failure names no shared object: %s", got.stderr)
		}
	default:
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}

func TestFromCountsTakesNothingAltered(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	jsonl := filepath.Join(dir, "a.jsonl")
	want(t, exitDone, certifyArgs(model, "--json", jsonl, "--max", "1")...)
	forged := strings.NewReplacer(`"n":400`, `"n":40000`).Replace(read(t, jsonl))
	if err := os.WriteFile(jsonl, []byte(forged), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitCheck, "certify", "--from-counts", jsonl, "--alpha", "0.01", "--json", filepath.Join(dir, "b.jsonl"))
	if _, err := os.Stat(filepath.Join(dir, "b.jsonl")); err == nil {
		t.Error("certificates were derived from altered ones")
	}
}

func TestJointAlphaIsOneForTheWholeRun(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	tsv, jsonl := filepath.Join(dir, "a.tsv"), filepath.Join(dir, "a.jsonl")
	args := func(count string, more ...string) []string {
		return certifyArgs(model, append([]string{"--joint", "--alpha", "0.01", "--max", count, "--out", tsv, "--json", jsonl}, more...)...)
	}
	want(t, exitDone, args("2")...)
	if !strings.Contains(read(t, jsonl), `"alpha":0.00499`) {
		t.Errorf("alpha is not shared: %s", read(t, jsonl))
	}
	want(t, exitUsage, args("4", "--resume")...) // the first two were made at another share
	labels := filepath.Join(dir, "labels.txt")
	if err := os.WriteFile(labels, []byte("0 1\n1 0\n2 2\n3 3\n4 4\n5 5\n6 6\n7 7\n8 8\n9 9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitUsage, args("2", "--resume", "--label-map", labels, "--force")...)
}
