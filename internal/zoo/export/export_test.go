package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"ucan/internal/results"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
)

// memory is a store of certificates in memory.
type memory struct {
	run     matrix.Run
	records []Record
	fields  map[string][]byte
	fail    error // after the last record
}

func (m *memory) Run(_ context.Context, id string) (*matrix.Run, error) {
	if id != "" && !strings.HasPrefix(m.run.ID, id) {
		return nil, fs.ErrNotExist
	}
	return &m.run, nil
}

func (m *memory) Records(context.Context, string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range m.records {
			if !yield(r, nil) {
				return
			}
		}
		if m.fail != nil {
			yield(Record{}, m.fail)
		}
	}
}

func (m *memory) Field(_ context.Context, _, hash string) ([]byte, error) {
	if b, ok := m.fields[hash]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no field %s", hash)
}

// certificate is the part of one that an export reads; seconds is what may differ between two runs.
func certificate(index int, radius, seconds float64, extra string) []byte {
	return fmt.Appendf(nil, `{"schema":"ucan.certificate/1","id":"id-%d","guarantee":"deployed","status":"certified","input":{"index":%d,"label":3},"noise":{"norm":"l2"%s},`+
		`"statistics":{"n":100,"k":99,"p_lower":0.9},"predict":3,"correct":true,"radii":{"l1":%g,"l2":%g,"linf":0.01},"alm":%g,"run":{"seconds":%g}}`,
		index, index, extra, radius, radius, radius, seconds)
}

func store(seconds float64) *memory {
	hash := strings.Repeat("0f", 32)
	m := &memory{
		run: matrix.Run{
			Schema: matrix.RunSchema, ID: "abc123", ShardSize: 2, Seed: 7,
			Models: []matrix.Model{{Name: "m", File: artifact.Item{Entry: "m.onnx", Origin: "/home/somebody/models"}}},
			Noise:  []matrix.Setting{{Name: "n", NPG: "/home/somebody/bundle", Files: []artifact.Item{{Entry: "bundle", Origin: "/home/somebody"}}}},
			Cells:  []matrix.Cell{{Model: "m", Dataset: "d", Noise: "n", Inputs: 3}},
			Refusals: []matrix.Refusal{
				{Model: "forest", Reason: "no\ttensor\nof scores"}, {Model: "m", Dataset: "other", Reason: "shape"},
			},
		},
		fields: map[string][]byte{hash: []byte("npy")},
	}
	for i := range 3 {
		extra := ""
		if i == 1 {
			extra = `,"sigma_field":{"sha256":"` + hash + `","file":"` + hash + `.npy"}`
		}
		m.records = append(m.records, Record{Model: "m", Dataset: "d", Noise: "n", Index: int64(10 * i), Certificate: certificate(10*i, 0.123456789, seconds, extra)})
	}
	return m
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "out")
	rows := 0
	s, err := Write(t.Context(), store(1), "abc", dir, Options{Parquet: true, Progress: func() { rows++ }})
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 3 || rows != 3 || !s.Complete() || s.Refused != 2 || strings.Join(s.Files, " ") != "certificates.jsonl certificates.parquet certificates.tsv refused.tsv run.json" {
		t.Errorf("%+v", s)
	}
	want := "model\tdataset\tnoise\t" + strings.Join(results.Columns(), "\t") + "\n"
	for i := range 3 {
		want += fmt.Sprintf("m\td\tn\t%d\t3\t3\t0.123456\t1\t1.000000\tl2\t0.123456\t0.123456\t0.010000\t0.123456\t0.900000\t99\t100\tdeployed\tcertified\n", 10*i)
	}
	if got := read(t, dir, TSV); got != want {
		t.Errorf("table:\n%s\nwant\n%s", got, want)
	}
	lines := strings.Split(strings.TrimSuffix(read(t, dir, JSONL), "\n"), "\n")
	if len(lines) != 3 || lines[2] != string(certificate(20, 0.123456789, 1, "")) {
		t.Errorf("certificates: %q", lines)
	}
	if got := read(t, dir, strings.Repeat("0f", 32)+".npy"); got != "npy" {
		t.Errorf("field %q", got)
	}
	if got := read(t, dir, Refused); got != "model\tdataset\tnoise\treason\nforest\t*\t*\tno tensor of scores\nm\tother\t*\tshape\n" {
		t.Errorf("refused %q", got)
	}
	if got := read(t, dir, RunFile); strings.Contains(got, "somebody") || !strings.Contains(got, `"npg": "bundle"`) {
		t.Errorf("the run names paths of the machine: %s", got)
	}
}

// Parquet holds the same rows at full precision, and reads back.
func TestParquet(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(t.Context(), store(1), "", dir, Options{Parquet: true}); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.ReadFile[parquetRow](filepath.Join(dir, Parquet))
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if r := rows[1]; r.Model != "m" || r.Index != 10 || r.Radius != 0.123456789 || !r.Correct || r.PLower != 0.9 || r.ID != "id-10" || r.ALMCapped != nil || r.Status != "certified" {
		t.Errorf("%+v", r)
	}
}

// Another run of the same zoo differs in time alone.
func TestSameBytes(t *testing.T) {
	a, b, c := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, seconds := range map[string]float64{a: 1, b: 1, c: 2} {
		if _, err := Write(t.Context(), store(seconds), "", dir, Options{Parquet: true}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{TSV, JSONL, Refused, RunFile, Parquet} {
		if read(t, a, name) != read(t, b, name) {
			t.Errorf("%s differs", name)
		}
	}
	if got := strings.ReplaceAll(read(t, c, TSV), "2.000000", "1.000000"); got != read(t, a, TSV) {
		t.Errorf("more than time differs:\n%s", got)
	}
}

// What fails on the way leaves no half-written file, and an older export as it was.
func TestFailureLeavesTheOldExport(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(t.Context(), store(1), "", dir, Options{}); err != nil {
		t.Fatal(err)
	}
	before := read(t, dir, TSV) + read(t, dir, JSONL)
	broken := store(2)
	broken.fail = errors.New("the database went away")
	damaged := store(2)
	damaged.records[2].Certificate = []byte(`{"schema":"ucan.certificate/1"}`)
	swapped := store(2)
	swapped.records[1].Index = 5
	fieldless := store(2)
	fieldless.fields = nil
	if err := os.Remove(filepath.Join(dir, strings.Repeat("0f", 32)+".npy")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *memory
	}{{"fieldless", fieldless}, {"broken", broken}, {"damaged", damaged}, {"swapped", swapped}} { // the first lacks the file that the others bring
		name := c.name
		if _, err := Write(t.Context(), c.m, "", dir, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := read(t, dir, TSV) + read(t, dir, JSONL); got != before {
			t.Errorf("%s: the older export changed", name)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestEmptyRun(t *testing.T) {
	m := store(1)
	m.records = nil
	dir := t.TempDir()
	s, err := Write(t.Context(), m, "", dir, Options{Parquet: true})
	if err != nil || s.Complete() {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := read(t, dir, TSV); !strings.HasPrefix(got, "model\t") || strings.Count(got, "\n") != 1 || bytes.Contains([]byte(read(t, dir, JSONL)), []byte("{")) {
		t.Errorf("%q", got)
	}
	if _, err := Write(t.Context(), m, "zzz", dir, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown run: %v", err)
	}
}
