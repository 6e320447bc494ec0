package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/internal/zootest"
	"ucan/models/demo"
	"ucan/runtime/runtimetest"
)

// zooFolder is a working folder with the demonstration model, a model that cannot be smoothed, and
// a zoo.yaml over both. Commands in it use a store of its own.
func zooFolder(t *testing.T, n, inputs int) string {
	t.Helper()
	runtimetest.Open(t)
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("XDG_DATA_HOME", dir)
	if err := os.WriteFile("digits.onnx", demo.Model(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("broken.onnx", demo.Model()[:2000], 0o600); err != nil {
		t.Fatal(err)
	}
	zoo := fmt.Sprintf(`models:
  - {file: digits.onnx}
  - {file: broken.onnx}
datasets:
  - {name: digits, source: "digits?n=400", skip: 1, stride: 3, max: %d}
noise:
  - {family: gaussian, sigma: [0.25, 0.5]}
statistics: {n0: 20, n: %d, alpha: 0.01}
seed: 5
shard_size: 2
`, inputs, n)
	if err := os.WriteFile("zoo.yaml", []byte(zoo), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// identities are the IDs of the certificates in a file, which cover everything but time and place,
// with the index.
func identities(t *testing.T, path string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var c struct {
			ID    string
			Input struct{ Index int }
		}
		if err = json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fmt.Sprintf("%d %s", c.Input.Index, c.ID))
	}
	return ids
}

// certified is what "ucan certify" makes of the cells of zooFolder, one after the other.
func certified(t *testing.T, dir string, n, inputs int) (ids []string) {
	t.Helper()
	for _, sigma := range []string{"0.25", "0.5"} {
		out := filepath.Join(dir, "certify"+sigma+".jsonl")
		want(t, exitDone, "certify", "--model", filepath.Join(dir, "digits.onnx"), "--data", "digits?n=400", "--skip", "1", "--stride", "3", "--max", fmt.Sprint(inputs),
			"--sigma", sigma, "--n0", "20", "--n", fmt.Sprint(n), "--alpha", "0.01", "--seed", "5", "--workers", "1", "--threads", "1", "--json", out)
		ids = append(ids, identities(t, out)...)
	}
	return ids
}

// TestZooRun kills a run's supervisor and its workers, goes on, and compares with certify.
func TestZooRun(t *testing.T) {
	subtest.Long(t)
	const n, inputs = 600, 24
	dir := zooFolder(t, n, inputs)
	first := command(t, "zoo", "run", "zoo.yaml", "--workers", "2", "--out", "results")
	var log bytes.Buffer
	first.Stdout, first.Stderr = &log, &log
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	done := waitForShards(t, 2)
	_ = first.Process.Kill()
	_ = first.Wait()
	t.Logf("killed after %d of 24 shards", done)
	t.Setenv(asCommand, "1") // for the workers of the second run, which is this process
	got := want(t, exitDone, "zoo", "run", "zoo.yaml", "--workers", "2", "--out", "results")
	if !strings.Contains(got.stdout, "24 done") || !strings.Contains(got.stdout, "broken") {
		t.Errorf("the run ended with\n%s%s", got.stdout, log.String())
	}
	if got, want := identities(t, filepath.Join("results", "certificates.jsonl")), certified(t, dir, n, inputs); !slices.Equal(got, want) {
		t.Errorf("the zoo's certificates are not those of certify:\n%v\n%v", got, want)
	}
	refused, err := os.ReadFile(filepath.Join("results", "refused.tsv"))
	if err != nil || !strings.Contains(string(refused), "broken") {
		t.Errorf("refused.tsv: %s, %v", refused, err)
	}
	want(t, exitRefused, "zoo", "run", "zoo.yaml", "--strict")
	want(t, exitDone, "verify", filepath.Join("results", "certificates.jsonl"))
}

// TestWorkerStoppedAtOnce stops workers while they start, by the end of their standard input: they
// end in order, with nothing to say, as a supervisor with nothing left to do ends them.
func TestWorkerStoppedAtOnce(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "zoo.db")
	for range 4 {
		var log bytes.Buffer
		c := command(t, "worker", "--store", store, "--follow-stdin") // its standard input is empty
		c.Stdout, c.Stderr = &log, &log
		if err := c.Run(); err != nil || strings.Contains(log.String(), "interrupted") {
			t.Errorf("a worker that was stopped at once: %v: %s", err, log.String())
		}
	}
}

// waitForShards waits until the store's only run has so many finished shards.
func waitForShards(t *testing.T, n int64) int64 {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		got := ucan(t, "zoo", "status", "--format", "json")
		var status runStatus
		if got.code == exitDone && json.Unmarshal([]byte(got.stdout), &status) == nil && status.Counts["done"] >= n {
			return status.Counts["done"]
		}
	}
	t.Fatalf("no %d shards within three minutes", n)
	return 0
}

// TestZooInterrupted stops a run with SIGINT, watches, cancels, retries and lets a worker finish
// it.
func TestZooInterrupted(t *testing.T) {
	subtest.Long(t)
	zooFolder(t, 300, 12)
	first := command(t, "zoo", "run", "zoo.yaml", "--workers", "1", "--out", "results")
	var log bytes.Buffer
	first.Stdout, first.Stderr = &log, &log
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitForShards(t, 1)
	_ = first.Process.Signal(syscall.SIGINT)
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(log.String(), "run the same command again") {
		t.Errorf("interrupted: exit %d\n%s", code, log.String())
	}
	if said := regexp.MustCompile(`interrupted: [1-9]\d* of 12 shards are finished`); !said.MatchString(log.String()) {
		t.Errorf("the message does not count the finished shards: %s", log.String())
	}
	if got := want(t, exitDone, "zoo", "cancel"); !strings.Contains(got.stdout, "cancelled") {
		t.Error(got.stdout)
	}
	want(t, exitDone, "worker", "--queue", "cpu", "--exit-when-idle") // nothing is left
	want(t, exitDone, "zoo", "retry")
	want(t, exitDone, "worker", "--queue", "cpu", "--exit-when-idle", "--metrics", "0")
	if got := want(t, exitDone, "zoo", "status", "--watch"); !strings.Contains(got.stdout, "12 done") {
		t.Error(got.stdout)
	}
}

// TestZooShared lets two workers with caches of their own, as on two machines, share a run on
// Postgres, their files coming from a depot alone; one is cut off from the database in the middle.
func TestZooShared(t *testing.T) {
	subtest.Long(t)
	const n, inputs = 300, 12
	p := zootest.Start(t)
	proxy := zootest.StartProxy(t, p.URL)
	dir := zooFolder(t, n, inputs)
	wrong := strings.Replace(p.URL, ":secret@", ":wrong-secret@", 1)
	if got := want(t, exitFailed, "zoo", "submit", "zoo.yaml", "--store", wrong); strings.Contains(got.stderr, "wrong-secret") || !strings.Contains(got.stderr, "check user and password") {
		t.Errorf("a wrong password: %s", got.stderr)
	}
	t.Setenv("UCAN_ZOO_STORE", p.URL)
	want(t, exitDone, "zoo", "submit", "zoo.yaml", "--artifacts", "depot")
	// The machines of the workers do not have the files where they lay.
	if err := os.Rename("digits.onnx", "elsewhere.onnx"); err != nil {
		t.Fatal(err)
	}
	workers := make([]*exec.Cmd, 2)
	var logs [2]syncBuffer
	for i, url := range []string{proxy.URL, p.URL} {
		workers[i] = command(t, "worker", "--queue", "cpu", "--exit-when-idle", "--artifacts", filepath.Join(dir, "depot"), "--artifact-cache", fmt.Sprintf("cache%d", i), "--log-level", "info")
		workers[i].Dir, workers[i].Stderr = t.TempDir(), &logs[i]
		workers[i].Env = append(workers[i].Env, "UCAN_ZOO_STORE="+url)
		if err := workers[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	waitForShards(t, 1)
	proxy.Cut()
	if err := workers[1].Wait(); err != nil {
		t.Errorf("%v\n%s", err, logs[1].String())
	}
	want(t, exitDone, "zoo", "export", "--out", "results")
	proxy.Heal() // it may have a result that counts no longer, or nothing in hand: it ends either way
	ended := time.AfterFunc(time.Minute, func() { _ = workers[0].Process.Kill() })
	err := workers[0].Wait()
	if !ended.Stop() || err != nil && !strings.Contains(logs[0].String(), "given to another one") && !strings.Contains(logs[0].String(), "run the same command again") {
		t.Errorf("the worker that was cut off: %v\n%s", err, logs[0].String())
	}
	if err = os.Rename("elsewhere.onnx", "digits.onnx"); err != nil {
		t.Fatal(err)
	}
	if got, want := identities(t, filepath.Join("results", "certificates.jsonl")), certified(t, dir, n, inputs); !slices.Equal(got, want) {
		t.Errorf("the shared run's certificates are not those of certify:\n%v\n%v", got, want)
	}
	want(t, exitDone, "zoo", "export", "--out", "again")
	if got, want := identities(t, filepath.Join("again", "certificates.jsonl")), identities(t, filepath.Join("results", "certificates.jsonl")); !slices.Equal(got, want) {
		t.Error("what the worker brought when it was back changed the run")
	}
}

// TestZooStoreErrors checks that faults of a store are one line with advice, and the right exit
// code.
func TestZooStoreErrors(t *testing.T) {
	dir := zooFolder(t, 200, 4)
	for text, code := range map[string]int{
		"mysql:x":                   exitUsage,
		"sqlite:":                   exitUsage,
		filepath.Join(dir, "no.db"): exitFailed,
		"postgres://nobody:secret@127.0.0.1:1/none": exitFailed,
	} {
		got := want(t, code, "zoo", "status", "--store", text)
		if strings.Contains(got.stderr, "secret") || !strings.Contains(got.stderr, ";") {
			t.Errorf("%s: %s", text, got.stderr)
		}
	}
	if err := os.WriteFile("text.db", []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := want(t, exitFailed, "zoo", "status", "--store", "text.db"); !strings.Contains(got.stderr, "damaged") {
		t.Error(got.stderr)
	}
	want(t, exitUsage, "zoo")
	want(t, exitUsage, "zoo", "nonsense")
	want(t, exitUsage, "zoo", "run")
	want(t, exitUsage, "worker", "--queue", "gpu!")
	want(t, exitUsage, "worker", "--soft-stop", "-1")
}
