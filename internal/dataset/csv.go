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
	values []float32
	shape  []int
	each   int
	labels []int
	print  fingerprint
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
	scale, err := parseScale(spec)
	if err != nil {
		return nil, Info{}, err
	}
	r := newCSV(b)
	first, err := r.Read()
	if err != nil {
		return nil, Info{}, formatErrorf("no first line: %w", err)
	}
	first = slices.Clone(first)
	label, isHeader, err := csvHeader(first, spec.Params["label"])
	if err != nil {
		return nil, Info{}, err
	}
	s := &csvStore{each: len(first), print: newFingerprint()}
	if label >= 0 {
		s.each--
	}
	if s.each < 1 {
		return nil, Info{}, formatErrorf("no column of values beside the label")
	}
	p := csvParser{store: s, label: label, scale: scale}
	if !isHeader {
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
	info := Info{Name: spec.Kind + ":" + spec.label(0) + scale.suffix()}
	if label >= 0 {
		if s.labels, info.Labels, err = numberLabels(p.texts); err != nil {
			return nil, Info{}, err
		}
		info.Classes = len(info.Labels)
	}
	if s.shape, err = reshape(spec, []int{s.each}); err != nil {
		return nil, Info{}, err
	}
	info.Shape = s.shape
	if err := s.print.blob(ctx, b); err != nil {
		return nil, Info{}, err
	}
	return s, info, nil
}

// csvHeader finds the column of labels, −1 for none.
func csvHeader(first []string, column string) (label int, isHeader bool, err error) {
	for _, cell := range first {
		isHeader = isHeader || !isNumber(cell)
	}
	if column == "" {
		if !isHeader {
			return -1, false, nil
		}
		return findColumn(first, labelColumns()), true, nil
	}
	i, err := strconv.Atoi(column)
	if label = findColumn(first, []string{column}); err != nil && label >= 0 {
		return label, true, nil
	}
	if err != nil || i < 0 || i >= len(first) {
		return 0, false, specErrorf("option label=%s: no such column; there are %s", column, strings.Join(first[:min(len(first), 20)], ", "))
	}
	// With words for labels, a first line whose other cells are numbers is data.
	if isHeader {
		isHeader = slices.ContainsFunc(slices.Delete(slices.Clone(first), i, i+1), func(c string) bool { return !isNumber(c) })
	}
	return i, isHeader, nil
}

func isNumber(cell string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	return err == nil
}

// csvParser turns rows into values and label texts.
type csvParser struct {
	store *csvStore
	label int
	scale ratio
	texts []string
}

func (p *csvParser) add(row []string, line int) error {
	if len(p.store.values)+len(row) > maxCSVValues {
		return formatErrorf("more than %d numbers; store them as .npy", maxCSVValues)
	}
	for i, cell := range row {
		if i == p.label {
			p.texts = append(p.texts, strings.Clone(cell))
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return formatErrorf("line %d, column %d: %q is not a number", line, i+1, cell)
		}
		if err != nil {
			v = math.Inf(1) // the item is refused later, as one that is not finite
		}
		p.store.values = append(p.store.values, p.scale.apply([]float64{v})...)
	}
	return nil
}

func (s *csvStore) len() int { return len(s.values) / s.each }

func (s *csvStore) identify(_ context.Context, f fingerprint) error {
	f.text(s.print.String())
	return nil
}

func (s *csvStore) load(_ context.Context, i int) (record, error) {
	rec := record{label: -1, shape: slices.Clone(s.shape), values: slices.Clone(s.values[i*s.each : (i+1)*s.each])}
	if s.labels != nil {
		rec.label = s.labels[i]
	}
	return rec, nil
}

func (s *csvStore) close() error { return nil }
