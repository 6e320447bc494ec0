package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/library"
	"ucan/runtime/runtimetest"
)

// ucanRuntime runs a command line of ucan runtime and returns what it printed, with its exit code.
func ucanRuntime(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), append([]string{"runtime"}, args...), &out, &errs)
	code = exitCode(t.Context(), err)
	if line := errorLine(code, err); line != "" {
		errs.WriteString(line + "\n")
	}
	return out.String(), errs.String(), code
}

func TestRuntimeDoctor(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	rt := runtimetest.Open(t)
	out, errs, code := ucanRuntime(t, "doctor")
	if code != exitDone || !strings.Contains(out, rt.Library().Path) || !strings.Contains(out, "ok, ") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	out, errs, code = ucanRuntime(t, "doctor", "--format", "json")
	var r runtime.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone || !r.Healthy || r.Library.Version != rt.Version() {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errs)
	}
}

func TestRuntimeDoctorOnAProviderThatDoesNotLoad(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	if rt := runtimetest.Open(t); rt.Library().CUDA {
		t.Skip("the library at hand has a CUDA provider")
	}
	out, errs, code := ucanRuntime(t, "doctor", "--provider", "cuda")
	if code != exitFailed || !strings.Contains(errs, "providers_cuda") || !strings.Contains(errs, "runtime install --gpu") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if out, errs, code = ucanRuntime(t, "doctor", "--provider", "gpu"); code != exitUsage || out != "" || !strings.Contains(errs, "cuda") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestRuntimeInstallFromAFile(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("LocalAppData", dir)
	out, errs, code := ucanRuntime(t, "install", "--from", rt.Library().Path, "--format", "json")
	var lib library.Library
	if err := json.Unmarshal([]byte(out), &lib); err != nil || code != exitDone {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	if rel, err := filepath.Rel(dir, lib.Path); err != nil || strings.HasPrefix(rel, "..") || lib.Version != rt.Version() {
		t.Errorf("installed %+v", lib)
	}
	if !strings.Contains(errs, "installed onnxruntime "+rt.Version()) {
		t.Errorf("it said %q", errs)
	}
	damaged := filepath.Join(dir, "x.whl")
	if err := os.WriteFile(damaged, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{
		exitFailed: {"install", "--from", damaged},
		exitUsage:  {"install", "--from", damaged, "--gpu"},
	} {
		if out, errs, code = ucanRuntime(t, args...); code != want || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestRuntimeCompare(t *testing.T) {
	t.Parallel()
	runtimetest.Open(t)
	out, errs, code := ucanRuntime(t, "compare", "--inputs", "16", "--seed", "1", "--threads", "2", "--format", "json")
	var c comparison
	if err := json.Unmarshal([]byte(out), &c); err != nil || code != exitDone {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	if c.Rows != 16 || c.Classes != 10 || !(c.Scale > 0) || c.LargestDifference > 1e-3*c.Scale || c.ThreadsA != 2 || c.Seed != 1 {
		t.Errorf("compared as %+v", c)
	}
	// Whether a nearly tied row changes depends on the processor; without a difference of scores
	// none can.
	if c.Changed < 0 || c.Changed > c.Rows || c.LargestDifference == 0 && c.Changed != 0 {
		t.Errorf("%d of %d rows change where scores differ by %g", c.Changed, c.Rows, c.LargestDifference)
	}
	for _, args := range [][]string{
		nil, {"repair"}, {"compare", "--inputs", "0"}, {"compare", "--sigma", "-1"}, {"compare", "--against", "warp"},
	} {
		if out, errs, code = ucanRuntime(t, args...); code != exitUsage || out != "" {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, errs)
		}
	}
}
