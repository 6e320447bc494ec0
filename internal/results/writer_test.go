package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ucan/fixtures/subtest"
)

func testRun() Run {
	return Run{
		Command:       "certify",
		Configuration: map[string]any{"n": 1000, "noise": map[string]any{"sigma": 0.25, "family": "gaussian"}, "seed": uint64(1<<63 + 1)},
		Hashes:        map[string]string{"model": "abc", "data": "def"},
		Environment:   map[string]any{"workers": 2},
	}
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func put(t testing.TB, w *Writer, list ...int) {
	t.Helper()
	for _, i := range list {
		if err := w.Put(certificateOf(row(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// unsynced is a file whose sync does nothing, so that tests need not wait for disks.
type unsynced struct{ file }

func (unsynced) Sync() error { return nil }

func openUnsynced(path string, create bool) (file, error) {
	f, err := openFile(path, create)
	if err != nil {
		return nil, err
	}
	return unsynced{f}, nil
}

func mustOpen(t testing.TB, cfg Config) *Writer {
	t.Helper()
	w, err := open(cfg, openUnsynced)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustClose(t testing.TB, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// config writes both outputs into a fresh folder.
func config(t testing.TB, n int) Config {
	t.Helper()
	dir := t.TempDir()
	return Config{TSV: filepath.Join(dir, "r.tsv"), JSONL: filepath.Join(dir, "r.jsonl"), Indices: indices(n), Run: testRun()}
}

// undisturbed is what both files hold after a run of n inputs.
func undisturbed(t testing.TB, n int) (tsv, jsonl string) {
	t.Helper()
	cfg := config(t, n)
	w := mustOpen(t, cfg)
	put(t, w, indices(n)...)
	mustClose(t, w)
	return read(t, cfg.TSV), read(t, cfg.JSONL)
}

func TestRowsAreInOrder(t *testing.T) {
	tsv, jsonl := undisturbed(t, 40)
	if want := 41; strings.Count(tsv, "\n") != want || strings.Count(jsonl, "\n") != want-1 {
		t.Fatalf("%d and %d lines", strings.Count(tsv, "\n"), strings.Count(jsonl, "\n"))
	}
	cfg := config(t, 40)
	w := mustOpen(t, cfg)
	var wg sync.WaitGroup
	for g := range 4 { // four workers, each from its own end
		wg.Go(func() {
			for k := range 10 {
				i := 4*(9-k) + g
				if err := w.Put(certificateOf(row(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, w)
	mustClose(t, w)
	if read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
		t.Error("four workers wrote other bytes than one")
	}
	for _, path := range []string{cfg.TSV, cfg.JSONL} {
		if _, err := os.Stat(path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a lock file is left: %v", err)
		}
		if r, err := ReadRun(path); err != nil || r.Command != "certify" || r.Hashes["model"] != "abc" {
			t.Errorf("record beside %s: %+v, %v", path, r, err)
		}
	}
}

// A row is on disk as soon as Put returns, when all before it are there.
func TestRowsAreWrittenAtOnce(t *testing.T) {
	cfg := config(t, 3)
	w := mustOpen(t, cfg)
	if read(t, cfg.TSV) != header() {
		t.Errorf("a new table holds %q", read(t, cfg.TSV))
	}
	put(t, w, 1)
	if read(t, cfg.TSV) != header() || len(w.Rows()) != 0 || w.Done(1) {
		t.Error("row 1 was written before row 0")
	}
	put(t, w, 0)
	if strings.Count(read(t, cfg.TSV), "\n") != 3 || strings.Count(read(t, cfg.JSONL), "\n") != 2 || !w.Done(1) {
		t.Error("rows 0 and 1 are not on disk")
	}
	if !slices.Equal(w.Remaining(), []int{2}) || len(w.Rows()) != 2 || w.Rows()[0] != row(0) {
		t.Errorf("remaining %v, rows %v", w.Remaining(), w.Rows())
	}
	for name, bad := range subtest.Rows(map[string]Row{"done": row(1), "not selected": row(9)}) {
		t.Run(name, func(t *testing.T) {
			if err := w.Put(certificateOf(bad)); !errors.Is(err, ErrRow) {
				t.Errorf("%s: %v, want ErrRow", name, err)
			}
		})
	}
	if err := w.PutRow(row(2)); !errors.Is(err, ErrRow) {
		t.Errorf("a row without its certificate: %v, want ErrRow", err)
	}
	false2 := certificateOf(row(2))
	false2.Radii.L2 = -1
	if err := w.Put(false2); !errors.Is(err, ErrRow) {
		t.Errorf("a certificate with a negative radius: %v, want ErrRow", err)
	}
	put(t, w, 2)
	mustClose(t, w)
}

// crashes cuts the files of a finished run, as a kill at any moment leaves them,
// and resumes: the result must be the undisturbed one to the byte.
func TestResumeAfterAnyCrash(t *testing.T) {
	const n = 9
	tsv, jsonl := undisturbed(t, n)
	first := config(t, n)
	if err := testRun().Write(first.TSV); err != nil {
		t.Fatal(err)
	}
	record := []byte(read(t, RunPath(first.TSV)))
	type cut struct{ tsv, jsonl int }
	var cuts []cut
	for at := 0; at <= len(tsv); at += 23 {
		rows := max(strings.Count(tsv[:at], "\n")-1, 0)
		// Certificates are written first: as many rows, or one more, or a part of it.
		whole := lineEnd(jsonl, rows)
		cuts = append(cuts, cut{at, whole}, cut{at, min(whole+100, len(jsonl))}, cut{at, lineEnd(jsonl, min(rows+1, n))})
	}
	cuts = append(cuts, cut{0, 0}, cut{len(tsv), len(jsonl)}, cut{len(tsv), 0}, cut{0, len(jsonl)})
	for _, c := range cuts {
		cfg := config(t, n)
		cfg.Resume = true
		if err := errors.Join(os.WriteFile(RunPath(cfg.TSV), record, 0o644), os.WriteFile(RunPath(cfg.JSONL), record, 0o644), os.WriteFile(cfg.TSV, []byte(tsv[:c.tsv]), 0o644), os.WriteFile(cfg.JSONL, []byte(jsonl[:c.jsonl]), 0o644)); err != nil {
			t.Fatal(err)
		}
		w := mustOpen(t, cfg)
		left := w.Remaining()
		slices.Reverse(left)
		put(t, w, left...)
		if len(w.Rows()) != n {
			t.Errorf("%+v: %d rows in memory, want %d", c, len(w.Rows()), n)
		}
		mustClose(t, w)
		if read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
			t.Fatalf("%+v: resumed to other bytes:\n%s\n%s", c, read(t, cfg.TSV), read(t, cfg.JSONL))
		}
	}
}

// lineEnd is the length of the first n lines.
func lineEnd(text string, n int) int {
	at := 0
	for range n {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	return at
}

func TestResumeWithNothingThere(t *testing.T) {
	cfg := config(t, 2)
	cfg.Resume = true
	w := mustOpen(t, cfg)
	put(t, w, 0, 1)
	mustClose(t, w)
	// Finished: nothing remains, and nothing changes.
	before := read(t, cfg.TSV)
	w = mustOpen(t, cfg)
	if len(w.Remaining()) != 0 || !w.Done(0) || !w.Done(1) {
		t.Errorf("remaining %v", w.Remaining())
	}
	mustClose(t, w)
	if read(t, cfg.TSV) != before {
		t.Error("resuming a finished run changed it")
	}
}

// An output that is asked for later gets all inputs; the other keeps its rows.
func TestResumeWithOneMoreOutput(t *testing.T) {
	tsv, jsonl := undisturbed(t, 5)
	cfg := config(t, 5)
	only := cfg
	only.JSONL = ""
	w := mustOpen(t, only)
	put(t, w, 0, 1, 2)
	mustClose(t, w)
	cfg.Resume = true
	w = mustOpen(t, cfg)
	if !slices.Equal(w.Remaining(), indices(5)) {
		t.Errorf("remaining %v, want all", w.Remaining())
	}
	put(t, w, 0)
	other := row(1)
	other.Radius, other.L2 = other.Radius+1, other.L2+1
	if err := w.Put(certificateOf(other)); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "input 1 came out differently") {
		t.Errorf("a row that came out differently: %v, want ErrMismatch", err)
	}
	mustClose(t, w)
	w = mustOpen(t, cfg)
	if !slices.Equal(w.Remaining(), []int{1, 2, 3, 4}) && !slices.Equal(w.Remaining(), []int{2, 3, 4}) {
		t.Errorf("remaining %v", w.Remaining())
	}
	put(t, w, w.Remaining()...)
	mustClose(t, w)
	if read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
		t.Error("the outputs differ from those of one run")
	}
}

func TestExistingOutputIsRefused(t *testing.T) {
	cfg := config(t, 2)
	w := mustOpen(t, cfg)
	put(t, w, 0)
	mustClose(t, w)
	before := read(t, cfg.TSV)
	for name, change := range subtest.Rows(map[string]func(*Config){
		"both": func(*Config) {}, "table": func(c *Config) { c.JSONL = "" }, "certificates": func(c *Config) { c.TSV = "" },
	}) {
		t.Run(name, func(t *testing.T) {
			c := cfg
			change(&c)
			if _, err := Open(c); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "--resume") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want ErrExists", name, err)
			}
		})
	}
	if read(t, cfg.TSV) != before {
		t.Error("a refused run changed the output")
	}
	// Something that is no table of ours is not overwritten either.
	for _, text := range []string{"my thesis", "my\nthesis", "idx\tlabel\tmine\n"} {
		if err := os.WriteFile(cfg.TSV, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg.Resume = false
		if _, err := Open(cfg); !errors.Is(err, ErrExists) {
			t.Errorf("a foreign file: %v", err)
		}
		cfg.Resume = true
		if _, err := Open(cfg); !errors.Is(err, ErrFormat) {
			t.Errorf("resuming a foreign file: %v, want ErrFormat", err)
		}
		if read(t, cfg.TSV) != text {
			t.Error("a foreign file was changed")
		}
	}
	cfg.Resume = false
	cfg.TSV = cfg.JSONL
	if _, err := Open(cfg); !errors.Is(err, ErrExists) {
		t.Errorf("one name for both: %v", err)
	}
	cfg.TSV, cfg.JSONL = filepath.Join(t.TempDir(), "none", "r.tsv"), ""
	if _, err := Open(cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	cfg.TSV = "/dev/null"
	if _, err := Open(cfg); err == nil {
		t.Error("/dev/null is accepted")
	}
}

func TestResumeComparesConfiguration(t *testing.T) {
	cfg := config(t, 3)
	w := mustOpen(t, cfg)
	put(t, w, 0, 1)
	mustClose(t, w)
	cfg.Resume = true
	for name, tc := range subtest.Rows(map[string]struct {
		change func(*Config)
		want   string
	}{
		"setting":   {func(c *Config) { c.Run.Configuration["noise"].(map[string]any)["sigma"] = 0.5 }, "configuration.noise.sigma was 0.25, is 0.5"},
		"seed":      {func(c *Config) { c.Run.Configuration["seed"] = uint64(1<<63 + 2) }, "configuration.seed was 9223372036854775809, is 9223372036854775810"},
		"more":      {func(c *Config) { c.Run.Configuration["grid"] = []float64{0, 1} }, "configuration.grid was (absent), is [0,1]"},
		"less":      {func(c *Config) { delete(c.Run.Configuration, "n") }, "configuration.n was 1000, is (absent)"},
		"hash":      {func(c *Config) { c.Run.Hashes["model"] = "xyz" }, `hashes.model was "abc", is "xyz"`},
		"command":   {func(c *Config) { c.Run.Command = "predict" }, `command was "certify", is "predict"`},
		"selection": {func(c *Config) { c.Indices = []int{0, 2} }, "its row 2 is of input 1"},
		"shorter":   {func(c *Config) { c.Indices = []int{0} }, "its row 2 is of input 1"},
	}) {
		t.Run(name, func(t *testing.T) {
			c := cfg
			c.Run = testRun()
			tc.change(&c)
			if _, err := Open(c); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
		})
	}
	same := cfg
	same.Run = testRun()
	same.Run.Environment = map[string]any{"workers": 8}
	same.Run.Configuration["nothing"] = nil
	w = mustOpen(t, same)
	mustClose(t, w)
	if err := os.Remove(RunPath(cfg.TSV)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without its record: %v", err)
	}
	for _, text := range []string{"{", `{"schema":"other"}`} {
		if err := os.WriteFile(RunPath(cfg.TSV), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg); !errors.Is(err, ErrFormat) {
			t.Errorf("record %q: %v, want ErrFormat", text, err)
		}
	}
}

func TestDamagedOutputIsNotResumed(t *testing.T) {
	tsv, _ := undisturbed(t, 3)
	cfg := config(t, 3)
	cfg.JSONL, cfg.Resume = "", true
	if err := errors.Join(cfg.Run.Write(cfg.TSV), os.WriteFile(cfg.TSV, []byte(strings.Replace(tsv, "certified", "c\x00rtified", 1)), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v, want ErrFormat that names line 2", err)
	}
}

func TestLock(t *testing.T) {
	cfg := config(t, 2)
	w := mustOpen(t, cfg)
	for _, resume := range []bool{false, true} {
		c := cfg
		c.Resume = resume
		c.TSV = "" // one shared output is enough
		if _, err := Open(c); !errors.Is(err, ErrLocked) {
			t.Errorf("resume %t: %v, want ErrLocked", resume, err)
		}
	}
	put(t, w, 0, 1)
	mustClose(t, w)
	cfg.Resume = true
	mustClose(t, mustOpen(t, cfg))
}

// Of many that start at once, exactly one writes.
func TestLockRace(t *testing.T) {
	cfg := config(t, 1)
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			w, err := Open(cfg)
			if err != nil {
				if !errors.Is(err, ErrLocked) && !errors.Is(err, ErrExists) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			won++
			mu.Unlock()
			if err := errors.Join(w.Put(certificateOf(row(0))), w.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tsv, _ := undisturbed(t, 1); won != 1 || read(t, cfg.TSV) != tsv {
		t.Errorf("%d writers won, the table holds %q", won, read(t, cfg.TSV))
	}
}

// smallDisk is a disk that holds so many bytes.
type smallDisk struct{ left int }

type smallFile struct {
	file
	disk *smallDisk
	path string
}

func (d *smallDisk) open(path string, create bool) (file, error) {
	f, err := openUnsynced(path, create)
	if err != nil {
		return nil, err
	}
	return &smallFile{file: f, disk: d, path: path}, nil
}

func (f *smallFile) Write(b []byte) (int, error) {
	n := min(len(b), f.disk.left)
	f.disk.left -= n
	if m, err := f.file.Write(b[:n]); err != nil {
		return m, err
	}
	if n < len(b) {
		return n, &fs.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
	}
	return n, nil
}

// However small the disk, what was written stays whole, the error says what to
// do, and with more space the run is completed to the same bytes.
func TestFullDisk(t *testing.T) {
	const n = 6
	tsv, jsonl := undisturbed(t, n)
	for space := 0; space < len(tsv)+len(jsonl); space += 83 {
		cfg := config(t, n)
		disk := &smallDisk{left: space}
		var full error
		w, err := open(cfg, disk.open)
		if err != nil {
			full = err
		} else {
			for i := range n {
				if err := w.Put(certificateOf(row(i))); err != nil {
					full = err
					break
				}
			}
			if again := w.Put(certificateOf(row(n - 1))); again == nil {
				t.Errorf("space %d: the writer goes on after its failure", space)
			}
			mustClose(t, w)
		}
		if !errors.Is(full, syscall.ENOSPC) || !strings.Contains(full.Error(), "free some space and run again with --resume") {
			t.Fatalf("space %d: %v, want ENOSPC with a remedy", space, full)
		}
		for path, whole := range map[string]string{cfg.TSV: tsv, cfg.JSONL: jsonl} {
			if b, err := os.ReadFile(path); err == nil && (!strings.HasPrefix(whole, string(b)) || (len(b) > 0 && b[len(b)-1] != '\n')) {
				t.Errorf("space %d: %s holds %q, not whole rows of the run", space, path, b)
			}
		}
		cfg.Resume = true
		w = mustOpen(t, cfg)
		put(t, w, w.Remaining()...)
		mustClose(t, w)
		if read(t, cfg.TSV) != tsv || read(t, cfg.JSONL) != jsonl {
			t.Fatalf("space %d: completed to other bytes", space)
		}
	}
}

// A disk whose sync fails has not stored the row.
type badSync struct {
	file
	fail *bool
}

func (f badSync) Sync() error {
	if *f.fail {
		return syscall.EIO
	}
	return f.file.Sync()
}

func TestSyncFailure(t *testing.T) {
	cfg := config(t, 2)
	fail := false
	w, err := open(cfg, func(path string, create bool) (file, error) {
		f, err := openFile(path, create)
		return badSync{f, &fail}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, 0)
	fail = true
	if err := w.Put(certificateOf(row(1))); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v, want EIO", err)
	}
	if w.Done(1) || len(w.Rows()) != 1 {
		t.Error("a row that was not synced counts as done")
	}
	mustClose(t, w)
}

func TestCollectOnly(t *testing.T) {
	w := mustOpen(t, Config{Indices: []int{2, 4, 8}, Run: testRun()})
	for _, i := range []int{8, 2, 4} {
		if err := w.PutRow(row(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(w.Rows()[0].Index, w.Rows()[1].Index, w.Rows()[2].Index); got != "2 4 8" {
		t.Errorf("order %s", got)
	}
	mustClose(t, w)
	if _, err := Open(Config{Indices: []int{2, 2}}); err == nil {
		t.Error("indices that do not rise are accepted")
	}
}
