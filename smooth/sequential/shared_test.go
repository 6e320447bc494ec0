package sequential

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// sharedPath finds a file of the shared reference folder, which lies beside the
// repository (or where UCAN_SHARED points), and skips the test without it.
func sharedPath(tb testing.TB, name string) string {
	tb.Helper()
	shared := os.Getenv("UCAN_SHARED")
	if shared == "" {
		dir, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for {
			if _, err = os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				tb.Skip("no go.mod above the working directory, so no shared folder")
			}
			dir = parent
		}
		shared = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(shared, "reference", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("no shared reference file %s: set UCAN_SHARED to run this test", name)
	}
	return path
}

func sharedJSON(tb testing.TB, name string, into any) {
	tb.Helper()
	data, err := os.ReadFile(sharedPath(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		tb.Fatal(err)
	}
}
