package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zootest"
)

// server is the Postgres of this package's tests.
var server zootest.Shared

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func backends(t *testing.T, f func(t *testing.T, name Name)) {
	for backend, url := range subtest.Rows(map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "a folder", "50%?#.db") },
		"postgres": func(t *testing.T) string { return server.Database(t) },
	}) {
		t.Run(backend, func(t *testing.T) {
			name, err := ParseName(url(t))
			if err != nil {
				t.Fatal(err)
			}
			f(t, name)
		})
	}
}

func open(t *testing.T, name Name) *Store {
	t.Helper()
	s, err := Open(t.Context(), name, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func example(t *testing.T, size int) *matrix.Run {
	t.Helper()
	r := &matrix.Run{
		Schema: matrix.RunSchema, Seed: 1, ShardSize: size,
		Models:   []matrix.Model{{Name: "m"}, {Name: "M"}},
		Datasets: []matrix.Dataset{{Name: "d", Stride: 1}},
		Noise:    []matrix.Setting{{Name: "n"}},
		Cells:    []matrix.Cell{{Model: "m", Dataset: "d", Noise: "n", Inputs: 5}, {Model: "M", Dataset: "d", Noise: "n", Inputs: 4}},
		Refusals: []matrix.Refusal{{Model: "x", Reason: "no"}},
	}
	var err error
	if r.ID, err = r.Identity(); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOpenTogether opens one new store from many sides at once: its tables are made once.
func TestOpenTogether(t *testing.T) {
	backends(t, func(t *testing.T, name Name) {
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				s, err := Open(t.Context(), name, DefaultOptions())
				if err == nil {
					err = s.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if runs, err := open(t, name).Runs(t.Context()); err != nil || len(runs) != 0 {
			t.Errorf("a new store holds %d runs, %v", len(runs), err)
		}
	})
}

func record(t *testing.T, s *Store, a Attempt, r *ShardResult) error {
	t.Helper()
	return Explain(s.InTx(t.Context(), func(tx *sql.Tx) error { return s.Record(t.Context(), tx, a, r) }))
}

func TestResults(t *testing.T) {
	backends(t, func(t *testing.T, name Name) {
		s := open(t, name)
		r := example(t, 3)
		run, err := s.CreateRun(t.Context(), r)
		if err != nil || run.Shards != 4 || run.Inputs != 9 || run.ID() != r.ID {
			t.Fatalf("%+v, %v", run, err)
		}
		if again, againErr := s.CreateRun(t.Context(), r); againErr != nil || again.Number != run.Number {
			t.Fatalf("the same run again: %+v, %v", again, againErr)
		}
		at := func(shard int64) Attempt { return Attempt{Run: run.Number, Shard: shard, Try: 1, Worker: "w"} }
		rows := []Row{{4, []byte(`{"i":4}`)}, {0, []byte(`{"i":0}`)}}
		if err = record(t, s, at(0), &ShardResult{Rows: rows, Failed: 1, Samples: 10, Seconds: 2, Fields: map[string][]byte{"ab": {1, 2}}}); err != nil {
			t.Fatal(err)
		}
		if err = record(t, s, at(2), &ShardResult{Cell: 1, Rows: []Row{{3, []byte(`{"i":3}`)}}, Samples: 5, Fields: map[string][]byte{"ab": {1, 2}}}); err != nil {
			t.Fatal(err)
		}
		if err = record(t, s, at(3), &ShardResult{Cell: 1, Refused: "unsound"}); err != nil {
			t.Fatal(err)
		}
		for shard, again := range map[int64]*ShardResult{0: {}, 1: {Rows: rows[:1]}} {
			if record(t, s, at(shard), again) == nil {
				t.Errorf("shard %d was stored twice in part", shard)
			}
		}
		var got []string
		for record, recordErr := range s.Records(t.Context(), r.ID[:8]) {
			if recordErr != nil {
				t.Fatal(recordErr)
			}
			got = append(got, fmt.Sprintf("%s %d %s", record.Model, record.Index, record.Certificate))
		}
		// Names sort by their bytes in every database.
		if want := `M 3 {"i":3}|m 0 {"i":0}|m 4 {"i":4}`; strings.Join(got, "|") != want {
			t.Errorf("records %v", got)
		}
		if p, progressErr := s.Progress(t.Context(), run.Number); progressErr != nil || p != (Progress{Shards: 3, Rows: 3, Failed: 1, Samples: 15, Seconds: 2}) {
			t.Errorf("progress %+v, %v", p, progressErr)
		}
		if field, fieldErr := s.Field(t.Context(), "", "ab"); fieldErr != nil || !bytes.Equal(field, []byte{1, 2}) {
			t.Errorf("field %v, %v", field, fieldErr)
		}
		if found, findErr := s.Run(t.Context(), ""); findErr != nil || len(found.Refusals) != 2 || found.Refusals[1].Reason != "unsound" {
			t.Errorf("refusals %+v, %v", found.Refusals, findErr)
		}
		if _, err = s.Find(t.Context(), "zz"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown run: %v", err)
		}
		if err = s.Check(t.Context(), run); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDisk fills the space of a SQLite store: the error says so and passes, nothing of the
// shard is kept, and the same call works when there is space again.
func TestFullDisk(t *testing.T) {
	name, err := ParseName(filepath.Join(t.TempDir(), "zoo.db"))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, name)
	run, err := s.CreateRun(t.Context(), example(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	var pages int
	if err = s.DB().QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		if _, execErr := s.DB().ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); execErr != nil {
			t.Fatal(execErr)
		}
	}
	limit(pages + 1)
	a := Attempt{Run: run.Number, Try: 1, Worker: "w"}
	big := &ShardResult{Rows: []Row{{1, bytes.Repeat([]byte("x"), 100_000)}}}
	err = record(t, s, a, big)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "free space") {
		t.Errorf("a full disk: %v", err)
	}
	if finished, finishedErr := s.Finished(t.Context(), run.Number, 0); finished || finishedErr != nil {
		t.Errorf("a part of the shard was kept, %v", finishedErr)
	}
	limit(pages + 1000)
	if err = record(t, s, a, big); err != nil {
		t.Error(err)
	}
}

// TestFaults checks that what goes wrong with a store is said in one line, with advice and without
// the password.
func TestFaults(t *testing.T) {
	check := func(what string, err error, words string) {
		t.Helper()
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), ";") || strings.Contains(err.Error(), "wrong-secret") || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	attempt := func(text string) error {
		name, err := ParseName(text)
		if err != nil {
			return err
		}
		o := DefaultOptions()
		o.Create = false
		s, err := Open(t.Context(), name, o)
		if err == nil {
			return s.Close()
		}
		return err
	}
	check("a missing file", attempt(filepath.Join(t.TempDir(), "none.db")), "no such file")
	check("another kind", attempt("mysql://x"), "sqlite:FILE")
	check("a closed port", attempt("postgres://u:wrong-secret@127.0.0.1:1/x"), "runs and can be reached")
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, bytes.Repeat([]byte("text\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	check("not a store", attempt(text), "damaged")
	t.Run("read-only", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("nothing is read-only for root")
		}
		file := filepath.Join(t.TempDir(), "zoo.db")
		if err := os.WriteFile(file, nil, 0o400); err != nil {
			t.Fatal(err)
		}
		check("a read-only file", attempt(file), "cannot be written")
	})
	t.Run("postgres", func(t *testing.T) {
		url := server.Database(t)
		check("a wrong password", attempt(strings.Replace(url, ":secret@", ":wrong-secret@", 1)), "password")
		check("no such database", attempt(strings.Replace(url, "/test", "/none", 1)), "createdb")
		name, err := ParseName(url)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, name)
		if _, err = s.DB().ExecContext(t.Context(), "SET default_transaction_read_only = on"); err != nil {
			t.Fatal(err)
		}
		s.DB().SetMaxOpenConns(1)
		_, err = s.DB().ExecContext(t.Context(), "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; DELETE FROM zoo_version")
		check("a store that can only be read", Explain(err), "only reads")
	})
}

func TestParseName(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "/data")
	for text, want := range subtest.Rows(map[string]string{
		"":                         "sqlite:/data/ucan/zoo.db",
		"sqlite:/x/y.db":           "sqlite:/x/y.db",
		"/x/y.db":                  "sqlite:/x/y.db",
		"postgres://u:p@h:5432/db": "postgres://u:xxxxx@h:5432/db",
		"postgresql://h/db?password=p&sslmode=disable": "postgresql://h/db",
	}) {
		t.Run(text, func(t *testing.T) {
			if got, err := ParseName(text); err != nil || got.String() != want {
				t.Errorf("%q: %s, %v", text, got, err)
			}
		})
	}
	for _, text := range []string{"sqlite:", "sqlite:/x/", "sqlite::memory:", "redis://x"} {
		if got, err := ParseName(text); !errors.Is(err, ErrName) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}
