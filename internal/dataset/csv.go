package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxCSVValues bounds the numbers of a CSV, which are held in memory.
const maxCSVValues = 1 << 28

// csvStore is a table of numbers, one input a row.
type csvStore struct {
	values  []float32
	shape   []int
	each    int
	classes []int
	print   fingerprint
}

func openCSV(ctx context.Context, spec Spec) (backend, Info, error) {
	b, err := openBlob(ctx, spec.Paths[0])
	if err != nil {
		return nil, Info{}, err
	}
	s, info, err := parseCSV(ctx, b, spec)
	if err = errors.Join(err, b.close()); err != nil {
		return nil, Info{}, fmt.Errorf("read %q: %w", spec.Paths[0], err)
	}
	return s, info, nil
}

// parseCSV reads the whole table. The first line is a header when not all of its
// cells are numbers. Labels come from the column of ?label= (a name, or a number
// from 0), else from one with a usual name.
func parseCSV(ctx context.Context, b *blob, spec Spec) (*csvStore, Info, error) {
	p := csvParser{store: &csvStore{print: newFingerprint()}}
	var err error
	if p.scale, err = parseScale(spec); err != nil {
		return nil, Info{}, err
	}
	r, first, err := openTable(b, spec.Params["sep"])
	if err != nil {
		return nil, Info{}, err
	}
	if p.decimals, err = parseDecimals(spec.Params["decimal"], r.Comma); err != nil {
		return nil, Info{}, err
	}
	if err = p.plan(first, spec); err != nil {
		return nil, Info{}, err
	}
	if !p.named {
		if err = p.add(first, 1); err != nil {
			return nil, Info{}, err
		}
	}
	for row, err := range r.rest() {
		if err == nil {
			line, _ := r.FieldPos(0)
			err = p.add(row, line)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, Info{}, formatErrorf("%w", err)
		}
	}
	s := p.store
	info := Info{Name: spec.Kind + ":" + spec.label(0) + p.suffix(spec), Notes: p.notes(), Columns: p.names()}
	if p.label >= 0 {
		if s.classes, info.Labels, err = numberLabels(p.texts); err != nil {
			return nil, Info{}, err
		}
		info.Classes, info.sorted = len(info.Labels), len(info.Labels) > 0
		info.classTexts = textsOf(s.classes, info.Labels)
	}
	if s.shape, err = reshape(spec, []int{s.each}); err != nil {
		return nil, Info{}, err
	}
	info.Shape = s.shape
	if err := s.print.blob(ctx, b); err != nil {
		return nil, Info{}, err
	}
	// What is read in the plain way keeps the fingerprint that it always had.
	if reading := string(r.Comma) + p.decimals.mark + spec.Params["drop"]; reading != ",." {
		s.print.text(reading)
	}
	return s, info, nil
}

// suffix is the part of the source's name that tells how values were changed or chosen.
func (p *csvParser) suffix(spec Spec) string {
	dropped, ok := spec.Params["drop"]
	switch {
	case !ok:
		return p.scale.suffix()
	case p.scale.given:
		return p.scale.suffix() + "&drop=" + dropped
	}
	return "?drop=" + dropped
}

// csvParser turns rows into values and label texts.
type csvParser struct {
	store    *csvStore
	header   []string // the first row
	named    bool     // whether it names the columns; otherwise it is an input
	label    int      // the column of labels, −1 for none
	drop     []int    // columns that are left out
	scale    ratio
	decimals decimals
	texts    []string
	rising   []bool // by column: every value so far was by 1 above the one before
	last     []float64
}

// plan decides what the columns are, by the first row.
func (p *csvParser) plan(first []string, spec Spec) (err error) {
	p.header, p.label = first, -1
	// A column that is given by its name has one; with words for labels, a first line whose other
	// cells are numbers is data.
	column, picked := spec.Params["label"]
	if picked {
		if p.label, err = pickColumn(first, column, "label"); err != nil {
			return err
		}
		p.named = !isColumnNumber(column)
	}
	if dropped, ok := spec.Params["drop"]; ok {
		for column := range strings.SplitSeq(dropped, ",") {
			i, err := pickColumn(first, column, "drop")
			if err != nil {
				return err
			}
			if i == p.label {
				return specErrorf("option drop=%s: that is the column of labels; drop another one", clip(column))
			}
			p.drop = append(p.drop, i)
			p.named = p.named || !isColumnNumber(column)
		}
	}
	columns := p.values()
	p.named = p.named || slices.ContainsFunc(columns, func(i int) bool { return !p.decimals.isNumber(first[i]) })
	if !picked && p.named {
		p.label = findColumn(first, labelColumns())
		if slices.Contains(p.drop, p.label) {
			p.label = -1
		}
		columns = p.values()
	}
	p.store.each = len(columns)
	if p.store.each < 1 {
		return formatErrorf("no column of values beside the label")
	}
	p.rising, p.last = make([]bool, len(first)), make([]float64, len(first))
	return nil
}

// values lists the columns that hold values.
func (p *csvParser) values() []int {
	var columns []int
	for i := range p.header {
		if i != p.label && !slices.Contains(p.drop, i) {
			columns = append(columns, i)
		}
	}
	return columns
}

// names are those of the columns of values.
func (p *csvParser) names() []string {
	var names []string
	for _, i := range p.values() {
		names = append(names, p.column(i))
	}
	return names
}

// column names a column in messages.
func (p *csvParser) column(i int) string {
	if !p.named {
		return strconv.Itoa(i + 1)
	}
	return fmt.Sprintf("%d (%s)", i+1, quote(p.header[i]))
}

func (p *csvParser) add(row []string, line int) error {
	if len(p.store.values)+len(row) > maxCSVValues {
		return formatErrorf("more than %d numbers; store them as .npy", maxCSVValues)
	}
	rows := len(p.store.values) / p.store.each
	for i, cell := range row {
		if i == p.label {
			p.texts = append(p.texts, strings.Clone(cell))
		}
		if i == p.label || slices.Contains(p.drop, i) {
			continue
		}
		v, err := p.decimals.parse(cell, line)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return formatErrorf("line %d, column %s: %w", line, p.column(i), p.explain(cell, i, err))
		}
		if err != nil {
			v = math.Inf(1) // the item is refused later, as one that is not finite
		}
		p.rising[i] = (rows == 0 && (v == 0 || v == 1)) || (p.rising[i] && v == p.last[i]+1)
		p.last[i] = v
		p.store.values = append(p.store.values, p.scale.apply([]float64{v})...)
	}
	return nil
}

// explain says what to do about a cell that is no number.
func (p *csvParser) explain(cell string, i int, err error) error {
	text := strings.TrimSpace(cell)
	switch {
	case isMissing(text):
		return fmt.Errorf("%s is a missing value; fill it in (with the column's median in the training data, for example), or take the row out", quote(text))
	case strings.ContainsRune(text, 0):
		return errors.New("it holds NUL bytes; save the table as UTF-8, or as UTF-16 with a byte-order mark")
	case strings.ContainsAny(text, "0123456789") && strings.Trim(text, "0123456789.,+-eE ") == "":
		return err
	}
	way := fmt.Sprintf("drop=%d", i)
	if p.label < 0 {
		way = fmt.Sprintf("label=%d if it is the label, or with ?drop=%d", i, i)
	}
	return fmt.Errorf("%s is not a number; encode the column as numbers first, or read the table with ?%s", quote(text), way)
}

// isMissing reports whether a cell is empty, or one of the usual words for that.
func isMissing(text string) bool {
	return slices.Contains([]string{"", "?", "-", "na", "n/a", "#n/a", "null", "none", "nil", "missing"}, strings.ToLower(text))
}

// notes tell what was decided without being asked.
func (p *csvParser) notes() []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if p.decimals.mark == "," && !p.decimals.given && p.decimals.commaLine > 0 {
		note("numbers with a decimal comma are read (line %d has the first); ?decimal=. refuses them", p.decimals.commaLine)
	}
	if p.named && slices.ContainsFunc(p.header, p.decimals.isNumber) {
		note("the first line is taken as names of columns (%s); it is no input", listColumns(p.header))
	}
	if p.label < 0 {
		note("no column is named like labels, so no input has one; name it with ?label=COLUMN (%s)", listColumns(p.header))
	}
	for _, i := range p.values() {
		if p.rising[i] && len(p.store.values) >= 3*p.store.each {
			note("column %s counts the rows; if it is no feature, leave it out with ?drop=%d", p.column(i), i)
		}
	}
	return notes
}

func (s *csvStore) labels() []int { return s.classes }

func (s *csvStore) len() int { return len(s.values) / s.each }

func (s *csvStore) identify(_ context.Context, f fingerprint) error {
	f.text(s.print.String())
	return nil
}

func (s *csvStore) load(_ context.Context, i int) (record, error) {
	rec := record{label: -1, shape: slices.Clone(s.shape), values: slices.Clone(s.values[i*s.each : (i+1)*s.each])}
	if s.classes != nil {
		rec.label = s.classes[i]
	}
	return rec, nil
}

func (s *csvStore) close() error { return nil }
