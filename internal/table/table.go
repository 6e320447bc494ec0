// Package table prints small tables for people: columns aligned by the widest
// cell, names over a rule, numbers to the right.
package table

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"ucan/internal/plain"
)

type column struct {
	name  string
	right bool // numbers stand to the right
}

// Table collects rows and prints them.
type Table struct {
	columns []column
	rows    [][]string
}

// New starts a table. A name that begins with ">" makes a column to the right,
// without the sign: New("model", ">radius").
func New(names ...string) *Table {
	t := &Table{}
	for _, name := range names {
		c := column{name: name}
		if rest, ok := strings.CutPrefix(name, ">"); ok {
			c = column{name: rest, right: true}
		}
		t.columns = append(t.columns, c)
	}
	return t
}

// Row adds a row; each cell is written with fmt.Sprint. Missing cells are empty,
// those beyond the columns are dropped.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(t.columns))
	for i := range row {
		if i < len(cells) {
			row[i] = cell(plain.Line(fmt.Sprint(cells[i])))
		}
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// WriteTo prints the table; lines carry no blanks at their end.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	widths := make([]int, len(t.columns))
	head, rule := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		head[i] = c.name
		widths[i] = width(c.name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i]))
		}
		rule[i] = strings.Repeat("-", widths[i])
	}
	var s strings.Builder
	t.line(&s, head, widths)
	t.line(&s, rule, widths)
	for _, row := range t.rows {
		t.line(&s, row, widths)
	}
	n, err := io.WriteString(w, s.String())
	return int64(n), err
}

func (t *Table) line(s *strings.Builder, cells []string, widths []int) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", widths[i]-width(cell))
		if t.columns[i].right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	s.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// maxCell is the most characters of a cell: one long name must not widen every row.
const maxCell = 400

func cell(s string) string {
	if len(s) <= maxCell {
		return s
	}
	if r := []rune(s); len(r) > maxCell {
		return string(r[:maxCell-1]) + "…"
	}
	return s
}

// width counts characters, without the marks that combine with others.
func width(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if unicode.Is(unicode.Mn, r) {
			n--
		}
	}
	return n
}
