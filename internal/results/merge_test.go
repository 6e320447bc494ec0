package results

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// shards writes n inputs as k shards and returns the paths of their outputs.
func shards(t *testing.T, n, k int) (tsvs, jsonls []string) {
	t.Helper()
	for s := range k {
		cfg := config(t, 0)
		cfg.Run.Configuration["batch"] = 8 << s // each machine measures its own
		for i := s; i < n; i += k {
			cfg.Indices = append(cfg.Indices, i)
		}
		w := mustOpen(t, cfg)
		put(t, w, cfg.Indices...)
		mustClose(t, w)
		tsvs, jsonls = append(tsvs, cfg.TSV), append(jsonls, cfg.JSONL)
	}
	return tsvs, jsonls
}

func TestMergedShardsAreTheWhole(t *testing.T) {
	tsv, jsonl := undisturbed(t, 11)
	tsvs, jsonls := shards(t, 11, 3)
	for name, tc := range subtest.Rows(map[string]struct {
		out   string
		parts []string
		want  map[string]string // by ending
	}{
		"tables":                {"all.tsv", tsvs, map[string]string{".tsv": tsv}},
		"certificates":          {"all.jsonl", jsonls, map[string]string{".jsonl": jsonl}},
		"without an ending":     {"all", tsvs, map[string]string{".tsv": tsv}},
		"both, in another turn": {"all", slices.Concat(jsonls, []string{tsvs[2], tsvs[0], tsvs[1]}), map[string]string{".tsv": tsv, ".jsonl": jsonl}},
	}) {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), tc.out)
			m, err := MergeShards(out, tc.parts)
			if err != nil {
				t.Fatal(err)
			}
			if m.Inputs != 11 || m.First != 0 || m.Last != 10 || !m.Even || len(m.Outputs) != len(tc.want) {
				t.Errorf("%+v", m)
			}
			for _, path := range m.Outputs {
				if read(t, path) != tc.want[filepath.Ext(path)] {
					t.Errorf("%s: three shards merged differ from the whole", path)
				}
				if run, err := ReadRun(path); err != nil || run.Configuration["batch"] != nil || run.Configuration["seed"] == nil {
					t.Errorf("record of the merged output: %+v, %v", run, err)
				}
			}
			if _, err := MergeShards(out, tc.parts); !errors.Is(err, ErrExists) {
				t.Errorf("merging again: %v, want ErrExists", err)
			}
		})
	}
	if m, err := MergeShards(filepath.Join(t.TempDir(), "all"), []string{tsvs[0], tsvs[2]}); err != nil || m.Even {
		t.Errorf("a shard is missing: %+v, %v", m, err)
	}
}

func TestMergeFaults(t *testing.T) {
	tsvs, jsonls := shards(t, 6, 2)
	out := filepath.Join(t.TempDir(), "out.tsv")
	other, _ := shards(t, 6, 2)
	run, err := ReadRun(other[1])
	if err != nil {
		t.Fatal(err)
	}
	run.Configuration["n"] = 5
	if err := run.Write(other[1]); err != nil {
		t.Fatal(err)
	}
	torn, _ := shards(t, 6, 2)
	if err := os.WriteFile(torn[1], []byte(strings.TrimSuffix(read(t, torn[1]), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	bare, _ := shards(t, 6, 2)
	if err := os.Remove(RunPath(bare[1])); err != nil {
		t.Fatal(err)
	}
	for name, tc := range subtest.Rows(map[string]struct {
		parts []string
		kind  error
		want  string
	}{
		"none":      {nil, ErrMismatch, "no parts"},
		"twice":     {[]string{tsvs[0], tsvs[0]}, ErrMismatch, "input 0 is in both"},
		"kinds":     {[]string{tsvs[0], jsonls[1]}, ErrMismatch, "do not show the same inputs"},
		"settings":  {[]string{tsvs[0], other[1]}, ErrMismatch, "configuration.n: 1000 and 5"},
		"torn":      {[]string{tsvs[0], torn[1]}, ErrFormat, "torn"},
		"no record": {[]string{tsvs[0], bare[1]}, ErrMismatch, "is missing"},
		"absent":    {[]string{tsvs[0], "/nonexistent"}, os.ErrNotExist, "merge"},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := MergeShards(out, tc.parts); !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Errorf("%s: an output was written", name)
			}
		})
	}
}
