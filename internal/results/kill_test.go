package results

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	childFolder = "UCAN_TEST_RESULTS_CHILD"
	childRows   = 200
)

// TestMain lets this binary serve as the process that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := childRun(dir); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childConfig(dir string) Config {
	return Config{TSV: filepath.Join(dir, "r.tsv"), JSONL: filepath.Join(dir, "r.jsonl"), Indices: indices(childRows), Resume: true, Run: testRun()}
}

func childRun(dir string) error {
	w, err := open(childConfig(dir), openUnsynced)
	if err != nil {
		return err
	}
	for _, i := range w.Remaining() {
		if err := w.Put(certificateOf(row(i))); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return w.Close()
}

// A process killed outright, again and again, leaves outputs that resume to the
// undisturbed ones, and no lock that anyone must remove.
func TestKilledProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skipf("cannot find the test's own program: %v", err)
	}
	dir := t.TempDir()
	cfg := childConfig(dir)
	kills, rows := 0, 0
	for range 30 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		// Kill it once it has written some rows more than were there.
		for deadline := time.Now().Add(20 * time.Second); ; {
			b, _ := os.ReadFile(cfg.TSV)
			if now := strings.Count(string(b), "\n"); now > rows+20 || time.Now().After(deadline) {
				rows = now
				break
			}
			time.Sleep(time.Millisecond)
			if len(done) > 0 {
				break
			}
		}
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			break
		} else if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("the child failed on its own: %v: %s", err, stderr.String())
		}
		kills++
	}
	if kills < 3 {
		t.Errorf("only %d kills hit a running child", kills)
	}
	w := mustOpen(t, cfg)
	put(t, w, w.Remaining()...)
	mustClose(t, w)
	if tsv, jsonl := undisturbed(t, childRows); read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
		t.Errorf("after %d kills the outputs differ from those of an undisturbed run", kills)
	}
}
