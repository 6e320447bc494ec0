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
	// Torn says that the last line has no end, as a killed or still running
	// process leaves it; it is not among Rows.
	Torn bool
	// Cohen says that the file has the six columns of Cohen et al.'s logs only.
	Cohen bool
	// tail is the torn line; size is the length in bytes of all whole lines.
	tail []byte
	size int64
}

// lines calls each for every whole line without its newline, and returns what
// follows the last of them, and the number of bytes in whole lines.
func lines(r io.Reader, limit int, each func(n int, line []byte) error) (tail []byte, size int64, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var long []byte
	for n := 1; ; {
		part, err := br.ReadSlice('\n')
		if len(long)+len(part) > limit {
			return nil, size, kindErrorf(ErrFormat, "line %d: longer than %d bytes", n, limit)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case errors.Is(err, io.EOF):
			return append(long, part...), size, nil
		case err != nil:
			return nil, size, err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line = long
		}
		if err := each(n, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return nil, size, fmt.Errorf("line %d: %w", n, err)
		}
		size += int64(len(line))
		long = long[:0]
		n++
	}
}

// ReadTSV reads a table, with all columns or with Cohen's six, and checks every
// field and row. Errors match [ErrFormat] and name line and column.
func ReadTSV(r io.Reader) (Table, error) {
	var t Table
	seen := map[int]bool{}
	tail, size, err := lines(r, maxTSVLine, func(n int, line []byte) error {
		fields := strings.Split(string(line), "\t")
		if n == 1 {
			t.Cohen = slices.Equal(fields, cohenColumns())
			if !t.Cohen && !slices.Equal(fields, Columns()) {
				return kindErrorf(ErrFormat, "not the header of a table of ours (idx, label, predict, …)")
			}
			return nil
		}
		row, err := parseRow(fields, t.Cohen)
		if err != nil {
			return err
		}
		if seen[row.Index] {
			return kindErrorf(ErrFormat, "input %d appears twice", row.Index)
		}
		seen[row.Index] = true
		t.Rows = append(t.Rows, row)
		return nil
	})
	t.Torn, t.tail, t.size = len(tail) > 0, tail, size
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
