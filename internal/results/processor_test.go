package results

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// on returns the configuration of the same run on a machine with the kind of processor, "" for a
// record without one.
func on(cfg Config, kind string) Config {
	cfg.Run = testRun()
	if kind != "" {
		cfg.Run.Environment[CPUKey] = kind
	}
	cfg.Resume = true
	return cfg
}

func recorded(t *testing.T, path string) []string {
	t.Helper()
	r, err := ReadRun(path)
	if err != nil {
		t.Fatal(err)
	}
	return r.Processors()
}

// A run goes on on another kind of processor, which the record then names; nothing else of the
// record changes.
func TestResumeOnAnotherProcessor(t *testing.T) {
	cfg := config(t, 6)
	steps := []struct {
		kind           string
		others, record []string
	}{
		{"", nil, nil}, // as earlier versions wrote it
		{"a", nil, []string{"a"}},
		{"a", nil, []string{"a"}},
		{"b", []string{"a"}, []string{"a", "b"}},
		{"a", []string{"b"}, []string{"a", "b"}},
		{"", nil, []string{"a", "b"}},
	}
	for i, s := range steps {
		w := mustOpen(t, on(cfg, s.kind))
		put(t, w, i)
		if got := w.OtherProcessors(); !slices.Equal(got, s.others) {
			t.Errorf("step %d on %q: other processors %q, want %q", i, s.kind, got, s.others)
		}
		mustClose(t, w)
		for _, path := range []string{cfg.TSV, cfg.JSONL} {
			if got := recorded(t, path); !slices.Equal(got, s.record) {
				t.Errorf("step %d on %q: %s names %q, want %q", i, s.kind, filepath.Base(path), got, s.record)
			}
		}
	}
	before := read(t, RunPath(cfg.TSV))
	w := mustOpen(t, on(cfg, "c")) // nothing is left to do
	if got := w.OtherProcessors(); len(got) != 0 || read(t, RunPath(cfg.TSV)) != before {
		t.Errorf("a finished run was changed, or others named: %q", got)
	}
	mustClose(t, w)
	stored, err := ReadRun(cfg.TSV)
	if err != nil {
		t.Fatal(err)
	}
	if diffs, err := stored.Compare(testRun()); err != nil || len(diffs) > 0 {
		t.Errorf("the record changed in %v (%v)", diffs, err)
	}
}

// A certificate without its row, from a kill between the two, stands although this processor counts
// otherwise.
func TestCertificatesOfAnotherProcessorStand(t *testing.T) {
	cfg := config(t, 3)
	w := mustOpen(t, on(cfg, "a"))
	put(t, w, 0, 1)
	mustClose(t, w)
	lines := strings.SplitAfter(read(t, cfg.TSV), "\n")
	if err := os.WriteFile(cfg.TSV, []byte(lines[0]+lines[1]), 0o600); err != nil { // without the row of input 1
		t.Fatal(err)
	}
	other := row(1)
	other.K--
	other.PLower -= 0.01
	w = mustOpen(t, on(cfg, "a"))
	if err := w.Put(certificateOf(other)); !errors.Is(err, ErrMismatch) {
		t.Errorf("another row on the same processor: %v, want ErrMismatch", err)
	}
	mustClose(t, w)
	w = mustOpen(t, on(cfg, "b"))
	if err := w.Put(certificateOf(other)); err != nil {
		t.Fatal(err)
	}
	put(t, w, 2)
	if rows := w.Rows(); rows[1].K != row(1).K {
		t.Errorf("the run reports %d votes where its certificate has %d", rows[1].K, row(1).K)
	}
	mustClose(t, w)
	tsv, jsonl := undisturbed(t, 3)
	if read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
		t.Errorf("table and certificates disagree:\n%s%s", read(t, cfg.TSV), read(t, cfg.JSONL))
	}
}

func TestMergeNamesAllProcessors(t *testing.T) {
	dir := t.TempDir()
	var parts []string
	for i, kind := range []string{"a", "b", "a"} {
		path := filepath.Join(dir, kind+string(rune('0'+i))+".tsv")
		c := on(Config{TSV: path, Indices: []int{i}}, kind)
		c.Resume = false
		w := mustOpen(t, c)
		put(t, w, i)
		mustClose(t, w)
		parts = append(parts, path)
	}
	out := filepath.Join(dir, "all.tsv")
	if _, err := MergeShards(out, parts); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, out); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the merged record names %q", got)
	}
}
