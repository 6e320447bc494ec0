// Package runtimetest opens onnxruntime for tests.
package runtimetest

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"ucan/runtime"
	"ucan/runtime/library"
)

// Open opens the onnxruntime library that UCAN_RUNTIME_LIBRARY names, or the
// one that runtime.Open finds; on a machine without any it installs the pinned
// build into the per-user cache, once for all packages and processes. It
// closes the runtime when the test ends.
//
// The test is skipped only where there is neither a library nor a package
// client (pip, npm) to fetch it; any other failure is the test's.
func Open(t testing.TB) *runtime.Runtime {
	t.Helper()
	rt, err := open(t.Logf)
	if err != nil {
		if !haveClient() {
			t.Skipf("no onnxruntime library, and neither pip nor npm to install one: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

func open(logf func(string, ...any)) (*runtime.Runtime, error) {
	return runtime.Open(context.Background(), runtime.Config{
		Library:  os.Getenv(library.Environment),
		Progress: func(line string) { logf("%s", line) },
	})
}

func haveClient() bool {
	for _, name := range []string{"python3", "python", "pip3", "pip", "npm"} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}
