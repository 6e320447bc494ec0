package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"ucan/internal/nearest"
)

const (
	// sampleBytes and sampleRows bound what the separator of a table is found from.
	sampleBytes = 64 << 10
	sampleRows  = 20
)

// csvReader reads rows of equal and bounded length: the standard reader holds a whole row in
// memory, and a quote that is never closed makes the rest of the file one row.
type csvReader struct {
	*csv.Reader
	src *recordReader
}

// openTable begins to read a table and returns its first row. The separator is the given one, or
// for "" the one that the first rows speak for.
func openTable(b *blob, separator string) (*csvReader, []string, error) {
	comma, err := parseSeparator(separator)
	if err == nil && comma == 0 {
		comma, err = findSeparator(b)
	}
	if err != nil {
		return nil, nil, err
	}
	src := &recordReader{r: decodeText(b)}
	r := &csvReader{Reader: rowReader(src, comma), src: src}
	first, err := r.Read()
	if err != nil {
		return nil, nil, formatErrorf("no first line: %w", err)
	}
	if slices.ContainsFunc(first, func(cell string) bool { return strings.ContainsRune(cell, 0) }) {
		return nil, nil, formatErrorf("its first line holds NUL bytes; save it as UTF-8, or as UTF-16 with a byte-order mark")
	}
	return r, slices.Clone(first), nil
}

// decodeText reads a table as UTF-8. A byte-order mark tells UTF-16 from UTF-8.
func decodeText(b *blob) io.Reader {
	return transform.NewReader(b.section(0, b.size), textunicode.BOMOverride(encoding.Nop.NewDecoder()))
}

func rowReader(r io.Reader, comma rune) *csv.Reader {
	rows := csv.NewReader(r)
	rows.Comma, rows.ReuseRecord, rows.TrimLeadingSpace = comma, true, !unicode.IsSpace(comma)
	return rows
}

// parseSeparator reads ?sep=: a character, or tab or space by name. 0 stands for none given.
func parseSeparator(text string) (rune, error) {
	runes := []rune(text)
	switch {
	case text == "":
		return 0, nil
	case text == "tab":
		return '\t', nil
	case text == "space":
		return ' ', nil
	case len(runes) == 1 && !strings.ContainsAny(text, "\"\r\n\uFFFD\x00") && !isDigit(runes[0]):
		return runes[0], nil
	}
	return 0, specErrorf("option sep=%s: want one character, or tab or space", clip(text))
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == '-' || r == '+' }

// findSeparator takes a sample of rows apart at commas, semicolons and tabs. The separator is the
// one that gives all rows the same number of cells and the largest share of numbers, among equals
// the first of these three. Where the rows are uneven, the first row alone decides.
func findSeparator(b *blob) (rune, error) {
	sample := make([]byte, sampleBytes)
	n, err := io.ReadFull(decodeText(b), sample)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, err
	}
	text, cut := string(sample[:n]), err == nil
	best, bestShare, bestCells := ',', -1.0, 1
	for _, comma := range ",;\t" {
		rows := sampleOf(text, comma, cut)
		if len(rows) == 0 || len(rows[0]) < 2 {
			continue
		}
		if share := numbersIn(rows); share > bestShare || share < 0 && bestShare < 0 && len(rows[0]) > bestCells {
			best, bestShare, bestCells = comma, share, len(rows[0])
		}
	}
	return best, nil
}

// sampleOf splits the beginning of a table into rows. Of a text that was cut, the last row is left
// out.
func sampleOf(text string, comma rune, cut bool) [][]string {
	r := rowReader(strings.NewReader(text), comma)
	r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = false, -1, true
	var rows [][]string
	for len(rows) <= sampleRows {
		row, err := r.Read()
		if err != nil {
			break
		}
		rows = append(rows, row)
	}
	if cut && len(rows) > 1 && len(rows) <= sampleRows {
		rows = rows[:len(rows)-1]
	}
	return rows
}

// numbersIn is the share of numbers among the cells below the first row, or in a single row; −1 for
// rows of different lengths.
func numbersIn(rows [][]string) float64 {
	if slices.ContainsFunc(rows, func(row []string) bool { return len(row) != len(rows[0]) }) {
		return -1
	}
	numbers, cells := 0, 0
	for _, row := range rows[min(1, len(rows)-1):] {
		for _, cell := range row {
			cells++
			if isNumber(cell) || isNumber(strings.Replace(cell, ",", ".", 1)) {
				numbers++
			}
		}
	}
	return float64(numbers) / float64(cells)
}

// Read is csv.Reader.Read, with what to do about a faulty row.
func (c *csvReader) Read() ([]string, error) {
	c.src.left = maxCSVRecord
	row, err := c.Reader.Read()
	var fault *csv.ParseError
	switch {
	case errors.Is(err, csv.ErrFieldCount) && errors.As(err, &fault):
		return row, formatErrorf("line %d: wrong number of fields: it has %d and the first line %d; complete it, put quotes around cells that hold the separator %q, or name another one with ?sep=",
			fault.StartLine, len(row), c.FieldsPerRecord, c.Comma)
	case errors.As(err, &fault):
		return row, formatErrorf("%w; write a quote inside a cell twice, and quotes around that cell", err)
	}
	return row, err
}

// rest yields the rows that are left, up to the first error.
func (c *csvReader) rest() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for {
			row, err := c.Read()
			if errors.Is(err, io.EOF) || !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// recordReader gives out so many bytes at most until more are allowed.
type recordReader struct {
	r    io.Reader
	left int
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, formatErrorf("a row is longer than %d bytes, or a quote is never closed", maxCSVRecord)
	}
	n, err := r.r.Read(p)
	r.left -= n
	return n, err
}

// findColumn gives the first of the wanted names that the header has, −1 for none.
func findColumn(header, wanted []string) int {
	for _, w := range wanted {
		if i := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), w) }); i >= 0 {
			return i
		}
	}
	return -1
}

// isColumnNumber reports whether an option gives a column by its number rather than by its name.
func isColumnNumber(column string) bool {
	_, err := strconv.Atoi(column)
	return err == nil
}

// pickColumn finds a column by its name or by its number from 0.
func pickColumn(header []string, column, option string) (int, error) {
	if i := findColumn(header, []string{strings.TrimSpace(column)}); i >= 0 && !isColumnNumber(column) {
		return i, nil
	}
	number, err := strconv.Atoi(column)
	if err != nil || number < 0 || number >= len(header) {
		return 0, specErrorf("option %s=%s: no such column; %s", option, clip(column), columnHint(column, header))
	}
	return number, nil
}

// columnHint names the columns of a table, first the one that was perhaps meant.
func columnHint(column string, header []string) string {
	hint := "there are " + listColumns(header)
	if near := nearest.Word(column, header[:min(len(header), 1000)]); near != "" {
		hint = fmt.Sprintf("did you mean %s? There are %s", quote(near), listColumns(header))
	}
	return hint
}

// listColumns names the first columns of a table.
func listColumns(header []string) string {
	const most = 20
	var names []string
	for _, name := range header[:min(len(header), most)] {
		names = append(names, quote(name))
	}
	list := strings.Join(names, ", ")
	if len(header) > most {
		list += fmt.Sprintf(" and %d more", len(header)-most)
	}
	return list
}

// clip shortens foreign text for a message.
func clip(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// quote is clip with quotes and escapes.
func quote(text string) string { return strconv.Quote(clip(text)) }
