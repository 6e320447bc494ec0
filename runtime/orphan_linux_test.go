package runtime_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// endlessVariable makes this test binary probe a model without end, and names a mark by
// which its children are found.
const endlessVariable = "UCAN_TEST_PROBE_ENDLESS"

// TestHelperProbesForEver is the process that TestProbeDiesWithItsParent kills.
func TestHelperProbesForEver(t *testing.T) {
	if os.Getenv(endlessVariable) == "" {
		t.Skip("a helper of another test")
	}
	rt := runtimetest.Open(t)
	_ = rt.ProbeLoad(t.Context(), runtimetest.Endless(t, runtimetest.Nonzero), runtime.ProbeOptions{Session: one(), Known: "-", Timeout: time.Hour})
}

// marked lists the living processes with the mark in their environment whose command line
// has the word.
func marked(mark, word string) (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte(mark)) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err == nil && bytes.Contains(line, []byte(word)) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// until waits for what must come, however busy the machine is.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestProbeDiesWithItsParent(t *testing.T) {
	runtimetest.Open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mark := endlessVariable + "=" + filepath.Base(t.TempDir()) + "-" + time.Now().Format(time.RFC3339Nano)
	parent := exec.Command(self, "-test.run=^TestHelperProbesForEver$")
	parent.Env = append(os.Environ(), mark)
	if err = parent.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the child is there", func() bool { return len(marked(mark, runtime.ProbeArgument)) > 0 })
	_ = parent.Process.Kill()
	_ = parent.Wait()
	until(t, "the child is gone", func() bool { return len(marked(mark, "")) == 0 })
}

// The child ends with its standard input alone, in the middle of a call that does not
// return: the way of systems that cannot tie a child to its parent.
func TestProbeEndsWithItsInput(t *testing.T) {
	rt := runtimetest.Open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	model := runtimetest.Endless(t, runtimetest.Nonzero)
	request, err := json.Marshal(map[string]any{
		"library": rt.Library().Path, "session": one(), "memory": 4 << 30, "limit": time.Hour, "bytes": len(model),
	})
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, runtime.ProbeArgument, string(request))
	child.Env = append(os.Environ(), "UCAN_INTERNAL_PROBE_CHILD=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	child.Stdout = &out
	if err = child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(stdin, bytes.NewReader(model)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // so that most often it is in the call; either way it must end
	if err = stdin.Close(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- child.Wait() }()
	select {
	case <-gone:
	case <-time.After(2 * time.Minute):
		_ = child.Process.Kill()
		t.Fatal("the child lives on")
	}
	if child.ProcessState.Success() {
		t.Errorf("the child answered: %s", out.String())
	}
}
