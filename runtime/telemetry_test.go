package runtime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ucan/runtime"
	"ucan/runtime/library"
	"ucan/runtime/runtimetest"
)

// watchVariable makes this test program a child that uses the library for the
// given time and reports what it holds open.
const watchVariable = "UCAN_TEST_WATCH"

// watched is the child's report.
type watched struct {
	Sockets  []string `json:"sockets"` // seen at any time
	Variable string   `json:"variable"`
	Error    string   `json:"error"`
}

// watchChild runs a session, in this process and in a probing child, and looks
// for sockets until the time is over.
func watchChild(duration time.Duration) watched {
	var w watched
	end := time.Now().Add(duration)
	err := func() error {
		ctx := context.Background()
		rt, err := runtime.Open(ctx, runtime.Config{Library: os.Getenv(library.Environment)})
		if err != nil {
			return err
		}
		session := runtime.SessionOptions{IntraOp: 1}
		if !runtime.Probed() {
			return fmt.Errorf("no probing child would be used")
		}
		if err = rt.ProbeLoad(ctx, runtime.TinyModel(), runtime.ProbeOptions{Session: session, Known: "-"}); err != nil {
			return err
		}
		s, err := rt.NewSession(ctx, runtime.TinyModel(), session)
		if err != nil {
			return err
		}
		x, err := runtime.NewTensor(rt, []int64{2, 3}, runtime.TinyInput())
		if err != nil {
			return err
		}
		y, err := runtime.Empty[float32](rt, 2, 2)
		if err != nil {
			return err
		}
		return s.Run(ctx, list(x), list(y))
	}()
	if err != nil {
		w.Error = err.Error()
	}
	w.Variable = os.Getenv(runtime.TelemetryVariable)
	for first := true; first || time.Now().Before(end); first = false {
		entries, _ := os.ReadDir("/proc/self/fd") // empty where there is no such folder
		for _, e := range entries {
			to, _ := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
			if strings.HasPrefix(to, "socket:") && !slices.Contains(w.Sockets, to) {
				w.Sockets = append(w.Sockets, to)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return w
}

// TestNoTelemetry uses the library in a process with a home of its own, and in
// the probing child of that process: neither may leave a file there, nor open a
// socket. Without the variable, onnxruntime 1.32.0 creates its files while it
// is initialised and opens the first socket after 9 s.
func TestNoTelemetry(t *testing.T) {
	t.Parallel()
	rt := runtimetest.Open(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	duration := 12 * time.Second
	if testing.Short() {
		duration = 0 // files only
	}
	for _, set := range []string{"", "0"} {
		t.Run("variable "+strconv.Quote(set), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			cmd := exec.CommandContext(t.Context(), exe)
			// Nothing that tells of a test or a CI system: there, the library would be
			// silent by itself.
			cmd.Env = []string{
				"HOME=" + home, "LocalAppData=" + home, "AppData=" + home, "USERPROFILE=" + home, "TMPDIR=" + home, "TEMP=" + home,
				"PATH=" + os.Getenv("PATH"), "SystemRoot=" + os.Getenv("SystemRoot"),
				library.Environment + "=" + rt.Library().Path, watchVariable + "=" + duration.String(),
			}
			if set != "" {
				cmd.Env = append(cmd.Env, runtime.TelemetryVariable+"="+set)
			}
			cmd.Dir = home
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.Bytes())
			}
			var w watched
			if err = json.Unmarshal(out, &w); err != nil || w.Error != "" {
				t.Fatalf("%v %s\n%s", err, w.Error, out)
			}
			if w.Variable != "1" || len(w.Sockets) > 0 {
				t.Errorf("%s is %q, sockets %q", runtime.TelemetryVariable, w.Variable, w.Sockets)
			}
			err = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
				if err == nil && path != home {
					t.Errorf("it left %s", path)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
