package results

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"ucan/smooth/certificate"
)

// Config says what a [Writer] writes.
type Config struct {
	// TSV is the path of the table, empty for none.
	TSV string
	// JSONL is the path of the certificates, empty for none.
	JSONL string
	// Indices are the inputs of this run, rising; rows are written in this order.
	Indices []int
	// Resume continues outputs that exist; otherwise they are refused.
	Resume bool
	// Run is stored beside each output, and compared with what is stored there.
	Run Run
}

// Writer appends the rows of a run to its outputs. It is safe for concurrent
// use. Without any output it only collects rows in order.
type Writer struct {
	mu      sync.Mutex
	outputs []*output
	fields  *Folder // beside the certificates; nil where the run writes none
	locks   []*lockFile
	indices []int
	pending map[int]entry
	rows    []Row
	// next is the place of the first row that some output lacks.
	next   int
	others []string // see OtherProcessors
	err    error
	closed bool
}

// entry is a row that waits for its turn.
type entry struct {
	row  Row
	line []byte // of certificates; nil where the run writes none
}

// Open locks the outputs, checks what is there, stores the record of the run,
// and prepares for appending.
//
// With Resume, an output that is there must have a record with the same command,
// configuration and hashes, and hold the first rows of the selection and no
// others. An input counts as done when every output has it; an output that got
// further keeps its rows.
//
// Errors match [ErrExists], [ErrMismatch], [ErrLocked] or [ErrFormat]; after any
// of them the outputs are as they were.
func Open(cfg Config) (*Writer, error) { return open(cfg, openFile) }

func open(cfg Config, opener opener) (*Writer, error) {
	w := &Writer{indices: cfg.Indices, pending: map[int]entry{}}
	for i, index := range cfg.Indices {
		if i > 0 && index <= cfg.Indices[i-1] {
			return nil, fmt.Errorf("open results: indices must rise, and %d follows %d", index, cfg.Indices[i-1])
		}
	}
	if cfg.TSV != "" && cfg.JSONL != "" && filepath.Clean(cfg.TSV) == filepath.Clean(cfg.JSONL) {
		return nil, kindErrorf(ErrExists, "open results: table and certificates both go to %q; give them two names", cfg.TSV)
	}
	// Certificates come first: a row of the table is never without its proof.
	if cfg.JSONL != "" {
		w.outputs = append(w.outputs, &output{path: cfg.JSONL, json: true})
		w.fields = Beside(cfg.JSONL)
	}
	if cfg.TSV != "" {
		w.outputs = append(w.outputs, &output{path: cfg.TSV})
	}
	if err := w.prepare(cfg, opener); err != nil {
		return nil, errors.Join(err, w.release(true))
	}
	return w, nil
}

func (w *Writer) prepare(cfg Config, opener opener) error {
	olds := make([]*Table, len(w.outputs))
	records := make([]Run, len(w.outputs))
	for i, o := range w.outputs {
		l, err := lock(o.path)
		if err != nil {
			return err
		}
		w.locks = append(w.locks, l)
		if olds[i], records[i], err = w.inspect(o, cfg); err != nil {
			return err
		}
	}
	for i, o := range w.outputs {
		if err := w.writeRecord(o, cfg.Run, olds[i], records[i]); err != nil {
			return err
		}
		if err := o.open(opener, olds[i]); err != nil {
			return err
		}
	}
	for i, o := range w.outputs {
		if i == 0 || len(o.rows) < w.next {
			w.next = len(o.rows)
		}
		w.rows = o.rows // in the end of the table, which comes last: its rows are the exact text of what was done
	}
	w.rows = slices.Clone(w.rows[:w.next])
	return nil
}

// writeRecord stores the record of an output. What is there keeps its record, which tells how the
// first rows came about; only the processors that go on with it are added.
func (w *Writer) writeRecord(o *output, now Run, old *Table, stored Run) error {
	if old == nil {
		return now.Write(o.path)
	}
	if len(old.Rows) == len(w.indices) {
		return nil
	}
	record, others, added := stored.goOn(now)
	for _, kind := range others {
		if !slices.Contains(w.others, kind) {
			w.others = append(w.others, kind)
		}
	}
	if !added {
		return nil
	}
	return record.Write(o.path)
}

// inspect decides whether an output may be written, and reads what it holds and its record.
func (w *Writer) inspect(o *output, cfg Config) (*Table, Run, error) {
	old, err := existing(o.path, o.json)
	if !cfg.Resume {
		if old != nil || errors.Is(err, ErrFormat) {
			return nil, Run{}, existsError(o.path)
		}
		return nil, Run{}, err
	}
	if err != nil || old == nil {
		return nil, Run{}, err
	}
	stored, err := ReadRun(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Run{}, kindErrorf(ErrMismatch, "resume %q: its record %q is missing, so nothing tells how it was made; write elsewhere", o.path, RunPath(o.path))
	}
	if err != nil {
		return nil, Run{}, err
	}
	diffs, err := stored.Compare(cfg.Run)
	if err != nil {
		return nil, Run{}, err
	}
	if len(diffs) > 0 {
		return nil, Run{}, mismatch(o.path, diffs)
	}
	for i, row := range old.Rows {
		if i >= len(w.indices) || row.Index != w.indices[i] {
			return nil, Run{}, kindErrorf(ErrMismatch, "resume %q: its row %d is of input %d, which the present selection does not have there; use the same selection, or another output", o.path, i+1, row.Index)
		}
	}
	return old, stored, nil
}

// Done says whether every output has the input already.
func (w *Writer) Done(index int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	place, ok := slices.BinarySearch(w.indices, index)
	return ok && place < w.next
}

// Remaining lists the inputs that some output lacks, in order.
func (w *Writer) Remaining() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int(nil), w.indices[w.next:]...)
}

// Rows lists the rows that are done, in order, those of earlier runs included
// (the latter with the decimals of the file).
func (w *Writer) Rows() []Row {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Row(nil), w.rows...)
}

// Put hands over the certificate of one input, from which the table takes its row. Fields that
// are too large to lie inside it are saved beside the certificates. Inputs may come in any order
// and are written, in order, as soon as all before them are there. After a failure to write,
// every call returns that failure, and what was written stays.
//
// Where an output has the input already, the row must say the same but for the
// time; if not, the error matches [ErrMismatch]. Only where another kind of
// processor made a certificate, which may have counted otherwise, that certificate
// stands and the table takes its row.
func (w *Writer) Put(c *certificate.Certificate) error {
	e := entry{row: RowOf(c)}
	if err := e.row.Validate(); err != nil {
		return err
	}
	if w.fields != nil {
		if err := w.fields.Save(c); err != nil {
			return err
		}
		line, err := c.Marshal()
		if err != nil {
			return err
		}
		line = append(line, '\n')
		e.line = line
	}
	return w.put(e)
}

// PutRow is [Writer.Put] for a row without a certificate, in a run that writes none.
func (w *Writer) PutRow(row Row) error {
	if w.fields != nil {
		return kindErrorf(ErrRow, "row of input %d: it has no certificate, and this run writes certificates", row.Index)
	}
	if err := row.Validate(); err != nil {
		return err
	}
	return w.put(entry{row: row})
}

func (w *Writer) put(e entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	place, ok := slices.BinarySearch(w.indices, e.row.Index)
	if _, twice := w.pending[place]; !ok || twice || place < w.next || w.closed {
		return kindErrorf(ErrRow, "row of input %d: it is not expected (not selected, already there, or the results are closed)", e.row.Index)
	}
	w.pending[place] = e
	w.err = w.flush()
	return w.err
}

// flush writes every row whose turn has come, all outputs in step.
func (w *Writer) flush() error {
	var batch []entry
	first := w.next
	for {
		e, ok := w.pending[first+len(batch)]
		if !ok {
			break
		}
		batch = append(batch, e)
	}
	if len(batch) == 0 {
		return nil
	}
	for _, o := range w.outputs { // nothing is written of a row that contradicts a stored one
		for i, e := range batch {
			if place := first + i; place < len(o.rows) {
				err := o.confirm(o.rows[place], e.row)
				switch {
				case err == nil:
				case o.json && len(w.others) > 0:
					// Another kind of processor may count otherwise: the certificate that is there
					// stands, and the table says the same.
					batch[i].row = o.rows[place]
				default:
					return err
				}
			}
		}
	}
	for _, o := range w.outputs {
		var text []byte
		for i, e := range batch {
			switch {
			case first+i < len(o.rows):
			case o.json:
				text = append(text, e.line...)
			default:
				text = e.row.AppendTSV(text)
			}
		}
		if len(text) == 0 {
			continue
		}
		if err := o.append(text); err != nil {
			return err
		}
	}
	for i, e := range batch {
		delete(w.pending, first+i)
		w.rows = append(w.rows, e.row)
	}
	w.next = first + len(batch)
	return nil
}

// confirm compares a row that the output has with the one just made again.
func (o *output) confirm(old, now Row) error {
	old.Seconds, now.Seconds = 0, 0
	a, b := string(old.AppendTSV(nil)), string(now.AppendTSV(nil))
	if a == b {
		return nil
	}
	return kindErrorf(ErrMismatch, "resume %q: input %d came out differently this time (%q, stored %q); the machine, library or provider changed, start anew under another name", o.path, now.Index, b, a)
}

// Close releases the outputs. Rows that still wait for an earlier one are not
// written: a resumed run makes them again. Closing twice is harmless.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.release(false)
}

func (w *Writer) release(remove bool) error {
	var errs []error
	for _, o := range w.outputs {
		if err := o.close(remove); err != nil {
			errs = append(errs, fmt.Errorf("close %q: %w", o.path, err))
		}
	}
	for _, l := range w.locks {
		if err := l.release(); err != nil {
			errs = append(errs, err)
		}
	}
	w.locks = nil
	return errors.Join(errs...)
}
