package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/internal/plain"
	"ucan/internal/results"
	"ucan/internal/zoo/matrix"
)

// The files of an export.
const (
	TSV     = "certificates.tsv"
	JSONL   = "certificates.jsonl"
	Refused = "refused.tsv"
	RunFile = "run.json"
	Parquet = "certificates.parquet"
)

// Options say what is written. TSV, JSONL, refusals and the run always are.
type Options struct {
	// Parquet asks for [Parquet] too.
	Parquet bool
	// Progress is told of every row; nil for nobody.
	Progress func()
}

// Summary says what was written.
type Summary struct {
	Run   string   `json:"run"`
	Rows  int64    `json:"rows"`
	Want  int64    `json:"inputs"`
	Files []string `json:"files"`
	// Refused is the number of combinations that were refused.
	Refused int `json:"refused"`
}

// Complete says whether every input of the run has its certificate.
func (s Summary) Complete() bool { return s.Rows >= s.Want }

// Columns are the names in the header line of the table.
func Columns() []string { return append([]string{"model", "dataset", "noise"}, results.Columns()...) }

// Write writes the certificates of a run into dir, which is made if it is missing: the same bytes
// for the same results but for the column time and the certificates' section run. Files that are
// there are replaced in one step each. Rows are streamed: memory does not grow with their number.
func Write(ctx context.Context, source Source, id, dir string, o Options) (Summary, error) {
	run, err := source.Run(ctx, id)
	if err != nil {
		return Summary{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Summary{}, fmt.Errorf("export the run: %w; name a folder that can be written", err)
	}
	s := Summary{Run: run.ID, Want: run.Inputs(), Refused: len(run.Refusals)}
	w := &writer{source: source, run: run, dir: dir, options: o, summary: &s, fields: map[string]bool{}}
	if err := w.certificates(ctx); err != nil {
		return s, fmt.Errorf("export the run: %w", err)
	}
	if err := errors.Join(w.refused(), w.record()); err != nil {
		return s, fmt.Errorf("export the run: %w", err)
	}
	slices.Sort(s.Files)
	return s, nil
}

// writer is an export under way.
type writer struct {
	source  Source
	run     *matrix.Run
	dir     string
	options Options
	summary *Summary
	fields  map[string]bool // the hashes of the fields that were written
}

// file writes one file of the export in one step.
func (w *writer) file(name string, write func(io.Writer) error) error {
	err := atomicfile.Write(filepath.Join(w.dir, name), write)
	if err == nil {
		w.summary.Files = append(w.summary.Files, name)
	}
	return err
}

// sink takes a certificate with its row.
type sink func(r Record, row results.Row) error

// certificates writes the files that hold rows, all in one pass.
func (w *writer) certificates(ctx context.Context) error {
	return w.file(TSV, func(table io.Writer) error {
		if _, err := io.WriteString(table, strings.Join(Columns(), "\t")+"\n"); err != nil {
			return err
		}
		return w.file(JSONL, func(lines io.Writer) error {
			sinks := []sink{tableSink(table), lineSink(lines)}
			if !w.options.Parquet {
				return w.rows(ctx, sinks)
			}
			return w.file(Parquet, func(out io.Writer) error {
				p := newParquetSink(out)
				if err := w.rows(ctx, append(sinks, p.add)); err != nil {
					return err
				}
				return p.w.Close()
			})
		})
	})
}

func (w *writer) rows(ctx context.Context, sinks []sink) error {
	for record, err := range w.source.Records(ctx, w.run.ID) {
		if err != nil {
			return err
		}
		row, err := results.ParseCertificate(record.Certificate)
		if err == nil && int64(row.Index) != record.Index {
			err = fmt.Errorf("it is of input %d", row.Index)
		}
		if err != nil {
			return fmt.Errorf("stored certificate of %s × %s × %s, input %d: %w; run \"ucan verify\" on what can be exported", record.Model, record.Dataset, record.Noise, record.Index, err)
		}
		if err := w.saveFields(ctx, record.Certificate); err != nil {
			return err
		}
		for _, s := range sinks {
			if err := s(record, row); err != nil {
				return err
			}
		}
		w.summary.Rows++
		if w.options.Progress != nil {
			w.options.Progress()
		}
	}
	return ctx.Err()
}

// fieldName finds fields that lie beside the certificates.
var fieldName = regexp.MustCompile(`"file":\s*"([0-9a-f]{64})\.npy"`)

// saveFields writes the noise fields that a certificate refers to beside the files of certificates.
func (w *writer) saveFields(ctx context.Context, line []byte) error {
	if !bytes.Contains(line, []byte(`.npy"`)) {
		return nil
	}
	for _, m := range fieldName.FindAllSubmatch(line, -1) {
		hash := string(m[1])
		if w.fields[hash] {
			continue
		}
		path := filepath.Join(w.dir, hash+".npy")
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			content, err := w.source.Field(ctx, w.run.ID, hash)
			if err != nil {
				return err
			}
			if err := atomicfile.WriteBytes(path, content); err != nil {
				return err
			}
		}
		w.fields[hash] = true
	}
	return nil
}

// tableSink writes rows of the table.
func tableSink(w io.Writer) sink {
	var line []byte
	return func(r Record, row results.Row) error {
		line = line[:0]
		for _, name := range []string{r.Model, r.Dataset, r.Noise} {
			line = append(append(line, plain.Line(name)...), '\t')
		}
		line = row.AppendTSV(line)
		_, err := w.Write(line)
		return err
	}
}

// lineSink writes the certificates, one a line.
func lineSink(w io.Writer) sink {
	return func(r Record, _ results.Row) error {
		_, err := w.Write(append(slices.Clip(bytes.TrimRight(r.Certificate, "\n")), '\n'))
		return err
	}
}

// refused writes what makes no certificates. A star stands for every dataset, or every noise
// setting.
func (w *writer) refused() error {
	return w.file(Refused, func(out io.Writer) error {
		var b strings.Builder
		b.WriteString("model\tdataset\tnoise\treason\n")
		for _, r := range w.run.Refusals {
			fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", plain.Line(r.Model), plain.Line(orStar(r.Dataset)), plain.Line(orStar(r.Noise)), plain.Line(strings.Join(strings.Fields(r.Reason), " ")))
		}
		_, err := io.WriteString(out, b.String())
		return err
	})
}

func orStar(name string) string {
	if name == "" {
		return "*"
	}
	return name
}

// record writes what the run was, without the paths of the machine that planned it.
func (w *writer) record() error {
	text, err := json.MarshalIndent(w.run.Portable(), "", "  ")
	if err != nil {
		return err
	}
	return w.file(RunFile, func(out io.Writer) error {
		_, err := out.Write(append(text, '\n'))
		return err
	})
}
