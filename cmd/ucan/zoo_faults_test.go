package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ucan/fixtures/subtest"
	"ucan/internal/zootest"
	"ucan/models/demo"
)

// syncBuffer is what a process wrote so far.
type syncBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// startWorker starts a worker process that ends when nothing is left to do.
func startWorker(t *testing.T, args ...string) (*exec.Cmd, *syncBuffer) {
	t.Helper()
	w, log := command(t, append([]string{"worker", "--exit-when-idle"}, args...)...), new(syncBuffer)
	w.Stderr = log
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Process.Kill() })
	return w, log
}

// waitForText waits until a process wrote something.
func waitForText(t *testing.T, log *syncBuffer, text string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(log.String(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nobody said %q within two minutes:\n%s", text, log.String())
		}
	}
}

// TestZooMismatch replaces the model's file while a worker has it open: nothing is computed from
// then on, the reason is kept, and the run goes on when the file is back.
func TestZooMismatch(t *testing.T) {
	subtest.Long(t)
	const n, inputs = 1000, 12
	dir := zooFolder(t, n, inputs)
	want(t, exitDone, "zoo", "submit", "zoo.yaml", "--attempts", "1")
	w, log := startWorker(t)
	done := waitForShards(t, 1)
	altered := slices.Clone(demo.Model())
	altered[len(altered)/2] ^= 1
	if err := errors.Join(os.WriteFile("altered.onnx", altered, 0o600), os.Rename("altered.onnx", "digits.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	got := want(t, exitDone, "zoo", "status")
	t.Logf("replaced after %d of 12 shards", done)
	if !strings.Contains(got.stdout, "mismatch") || !strings.Contains(got.stdout, "poisoned") || strings.Contains(got.stdout, " 0 poisoned") {
		t.Errorf("a replaced model:\n%s", got.stdout)
	}
	if err := os.WriteFile("digits.onnx", demo.Model(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(asCommand, "1")
	if got = want(t, exitDone, "zoo", "run", "zoo.yaml", "--workers", "1", "--out", "results"); !strings.Contains(got.stdout, "12 done") {
		t.Error(got.stdout)
	}
	if got, want := identities(t, filepath.Join("results", "certificates.jsonl")), certified(t, dir, n, inputs); !slices.Equal(got, want) {
		t.Errorf("the certificates are not those of certify:\n%v\n%v", got, want)
	}
}

// fill writes files until a disk is full, and returns what empties it again.
func fill(t *testing.T, folder string) (free func()) {
	t.Helper()
	name := filepath.Join(folder, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err = f.Close(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if removeErr := os.Remove(name); removeErr != nil {
			t.Fatal(removeErr)
		}
	}
}

// TestZooFullDisk fills the disk of the store: before a run, which says so in one line, and in the
// middle of one, which waits with its shard in hand until there is space again.
func TestZooFullDisk(t *testing.T) {
	subtest.Long(t)
	const n, inputs = 300, 12
	disk := t.TempDir()
	zootest.SmallDisk(t, disk, "16m")
	dir := zooFolder(t, n, inputs)
	t.Setenv("UCAN_ZOO_STORE", "sqlite:"+filepath.Join(disk, "zoo.db"))
	free := fill(t, disk)
	if got := want(t, exitFailed, "zoo", "submit", "zoo.yaml"); !strings.Contains(got.stderr, "disk") && !strings.Contains(got.stderr, "space") {
		t.Errorf("a full disk: %s", got.stderr)
	}
	free()
	want(t, exitDone, "zoo", "submit", "zoo.yaml")
	w, log := startWorker(t)
	waitForShards(t, 1)
	free = fill(t, disk)
	waitForText(t, log, "waiting for the store")
	if !strings.Contains(log.String(), "disk") {
		t.Errorf("the worker does not say what is wrong:\n%s", log.String())
	}
	free()
	if err := w.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	want(t, exitDone, "zoo", "export", "--out", "results")
	if got, want := identities(t, filepath.Join("results", "certificates.jsonl")), certified(t, dir, n, inputs); !slices.Equal(got, want) {
		t.Errorf("the certificates are not those of certify:\n%v\n%v", got, want)
	}
}

// TestZooReadOnly makes the store's folder read-only in the middle of a run, when nobody has it
// open: every command says so in one line, and the run goes on when the folder can be written
// again.
func TestZooReadOnly(t *testing.T) {
	zooFolder(t, 200, 4)
	folder := t.TempDir()
	t.Setenv("UCAN_ZOO_STORE", "sqlite:"+filepath.Join(folder, "zoo.db"))
	want(t, exitDone, "zoo", "submit", "zoo.yaml")
	thaw := zootest.ReadOnly(t, folder)
	for _, line := range [][]string{{"zoo", "submit", "zoo.yaml"}, {"zoo", "run", "zoo.yaml", "--workers", "1"}, {"worker", "--exit-when-idle"}, {"zoo", "status"}} {
		if got := want(t, exitFailed, line...); !strings.Contains(got.stderr, "cannot be") || !strings.Contains(got.stderr, ";") {
			t.Errorf("%v: %s", line, got.stderr)
		}
	}
	thaw()
	want(t, exitDone, "worker", "--exit-when-idle")
	if got := want(t, exitDone, "zoo", "status"); !strings.Contains(got.stdout, "4 done") {
		t.Error(got.stdout)
	}
}

// TestZooPipe gives commands an output that nobody reads any longer, as "| head" does: they end
// without a word.
func TestZooPipe(t *testing.T) {
	zooFolder(t, 200, 4)
	want(t, exitDone, "zoo", "submit", "zoo.yaml")
	for _, line := range [][]string{{"zoo", "status"}, {"zoo", "status", "--watch"}, {"zoo", "report"}} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = reader.Close()
		cmd := command(t, line...)
		var errs syncBuffer
		cmd.Stdout, cmd.Stderr = writer, &errs
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Close()
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGPIPE || errs.String() != "" {
			t.Errorf("%v ended with %v and wrote %q", line, cmd.ProcessState, errs.String())
		}
	}
	// One that reads the first line only.
	cmd := command(t, "zoo", "status", "--watch")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var first [1]byte
	if _, err = io.ReadFull(out, first[:]); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	if !timer.Stop() {
		t.Error(fmt.Sprint(cmd.Args) + " goes on although nobody reads what it writes")
	}
}
