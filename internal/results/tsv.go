package results

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxTSVLine bounds a row of a table; a line of certificates has certificate.MaxLine.
const maxTSVLine = 1 << 12

// Table is what a file of results holds.
type Table struct {
	// Rows are in the order of the file, each index once.
	Rows []Row
	// torn says that the last line has no end, as a killed or still running
	// process leaves it; it is not among Rows.
	torn bool
	// cohen says that the file has the six columns of Cohen et al.'s logs only.
	cohen bool
	// json says that the file holds certificates; starts are where the lines of Rows begin.
	json   bool
	starts []int64
	// tail is the torn line; size is the length in bytes of all whole lines.
	tail []byte
	size int64
}

// read adds the rows of all whole lines. parse gets them without their newlines; it is false for
// the header.
func (t *Table) read(r io.Reader, limit int, parse func(n int, line []byte) (Row, bool, error)) error {
	seen := map[int]bool{}
	return Lines(r, limit, func(n int, line []byte) error {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole {
			t.torn, t.tail = true, slices.Clone(line)
			return nil
		}
		row, isRow, err := parse(n, text)
		if err == nil && isRow && seen[row.Index] {
			err = kindErrorf(ErrFormat, "input %d appears twice", row.Index)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if isRow {
			seen[row.Index] = true
			t.Rows, t.starts = append(t.Rows, row), append(t.starts, t.size)
		}
		t.size += int64(len(line))
		return nil
	})
}

// Lines calls f for every line, numbered from 1, with its newline: a last line without one is torn.
// A line of more than limit bytes is an error that matches [ErrFormat].
func Lines(r io.Reader, limit int, f func(n int, line []byte) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var long []byte
	for n := 1; ; n++ {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], line...)
			for errors.Is(err, bufio.ErrBufferFull) && len(long) <= limit {
				line, err = br.ReadSlice('\n')
				long = append(long, line...)
			}
			line = long
		}
		switch {
		case len(line) > limit:
			return kindErrorf(ErrFormat, "line %d: longer than %d bytes; this is not a file of results", n, limit)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case len(line) == 0:
			return nil
		}
		if lineErr := f(n, line); lineErr != nil || err != nil {
			return lineErr
		}
	}
}

// readTSV reads a table, with all columns or with Cohen's six, and checks every
// field and row. Errors match [ErrFormat] and name line and column.
func readTSV(r io.Reader) (t Table, err error) {
	err = t.read(r, maxTSVLine, func(n int, line []byte) (Row, bool, error) {
		fields := strings.Split(string(line), "\t")
		if n > 1 {
			row, rowErr := parseRow(fields, t.cohen)
			return row, true, rowErr
		}
		t.cohen = slices.Equal(fields, cohenColumns())
		if !t.cohen && !slices.Equal(fields, Columns()) {
			return Row{}, false, kindErrorf(ErrFormat, "not the header of a table of ours (idx, label, predict, …)")
		}
		return Row{}, false, nil
	})
	return t, err
}

func parseRow(fields []string, cohen bool) (Row, error) {
	columns := Columns()
	if cohen {
		columns = cohenColumns()
	}
	if len(fields) != len(columns) {
		return Row{}, kindErrorf(ErrFormat, "%d columns, want %d", len(fields), len(columns))
	}
	p := fieldParser{fields: fields, columns: columns, digits: "0123456789."}
	if cohen {
		p.digits += "e+-" // Python writes small radii as 4.88e-05
	}
	row := Row{Index: int(p.integer()), Label: int(p.integer()), Predict: int(p.integer()), Radius: p.decimal()}
	correct := p.integer()
	if correct != 0 && correct != 1 {
		return Row{}, kindErrorf(ErrFormat, "column correct is %d, want 0 or 1", correct)
	}
	row.Correct = correct == 1
	if cohen {
		row.Seconds = p.duration()
		row.Norm, row.Guarantee, row.Status = "l2", "deployed", Certified
		row.L2 = row.Radius
		if row.Predict == NoClass {
			row.Status = Abstained
		}
	} else {
		row.Seconds = p.decimal()
		row.Norm = p.next()
		row.L1, row.L2, row.LInf, row.ALM, row.PLower = p.decimal(), p.decimal(), p.decimal(), p.decimal(), p.decimal()
		row.K, row.N = p.integer(), p.integer()
		row.Guarantee, row.Status = p.next(), Status(p.next())
	}
	if p.err != nil {
		return Row{}, p.err
	}
	if err := row.Validate(); err != nil {
		return Row{}, &kindError{kind: ErrFormat, err: err}
	}
	return row, nil
}

// fieldParser takes the fields of a line one by one and keeps the first fault.
type fieldParser struct {
	fields, columns []string
	digits          string // what a decimal may be written with
	at              int
	err             error
}

func (p *fieldParser) next() string {
	p.at++
	return p.fields[p.at-1]
}

func (p *fieldParser) fault(want string) {
	if p.err == nil {
		p.err = kindErrorf(ErrFormat, "column %s is %q, want %s", p.columns[p.at-1], p.fields[p.at-1], want)
	}
}

func (p *fieldParser) integer() int64 {
	v, err := strconv.ParseInt(p.next(), 10, strconv.IntSize)
	if err != nil {
		p.fault("an integer")
	}
	return v
}

func (p *fieldParser) decimal() float64 {
	text := p.next()
	if text == "inf" {
		v, _ := strconv.ParseFloat(text, 64)
		return v
	}
	if strings.Trim(text, p.digits) != "" {
		p.fault("a decimal number")
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.fault("a decimal number")
	}
	return v
}

// duration reads seconds or Cohen's H:M:S.
func (p *fieldParser) duration() float64 {
	text := p.next()
	total := 0.0
	for part := range strings.SplitSeq(text, ":") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || strings.Trim(part, "0123456789.") != "" {
			p.fault("seconds or H:M:S")
			return 0
		}
		total = 60*total + v
	}
	return total
}
