package dataset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
)

func opens(t *testing.T, spec string) error {
	t.Helper()
	s, err := dataset.Open(t.Context(), spec, dataset.Options{})
	if err == nil {
		err = s.Close()
	}
	return err
}

// A row of a table ends, whatever the file holds: a quote that is never closed, a line
// without an end, or one of zeros that take no room on the disk.
func TestTableRowsAreBounded(t *testing.T) {
	dir := t.TempDir()
	for name, begin := range subtest.Rows(map[string]string{
		"an open quote": "a,b\n1,\"", "one line": "1,2\n3,", "the header": "a", "a quoted cell with breaks": "a,b\n1,\"\n\n\n",
	}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".csv")
			if err := os.WriteFile(path, []byte(begin), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 1<<30); err != nil {
				t.Fatal(err)
			}
			if err := opens(t, "csv:"+path); !errors.Is(err, dataset.ErrFormat) || !strings.Contains(err.Error(), "row is longer") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	// A long table of short rows is no long row.
	path := filepath.Join(dir, "long.csv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("0.125,\"0.25\",0.5\n"), 2_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, "csv:"+path); err != nil {
		t.Errorf("34 MB of short rows: %v", err)
	}
}

func TestCompressionIsBounded(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 1100 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bomb.npy")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, "npy:"+path); !errors.Is(err, dataset.ErrFormat) || !strings.Contains(err.Error(), "inflate to more") {
		t.Errorf("a megabyte that inflates to more than a gigabyte: %v", err)
	}
}

func TestGeneratedDataAreBounded(t *testing.T) {
	t.Parallel()
	if err := opens(t, "digits?n=2000000000"); !errors.Is(err, dataset.ErrSpec) {
		t.Errorf("two thousand million digits: %v", err)
	}
	var lines strings.Builder
	for range 20 {
		lines.WriteString("a,1\n")
	}
	if _, err := dataset.ReadLabelMap(strings.NewReader(lines.String() + strings.Repeat("x", 1<<20) + ",1\n")); err == nil {
		t.Error("a label map with a line of a megabyte")
	}
}
