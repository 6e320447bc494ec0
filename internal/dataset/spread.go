package dataset

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
)

const (
	// StdField is what is written for a noise field in place of a file: noise in units of each
	// column.
	StdField = "std"
	// spreadTold is the factor between the spreads of columns from which one scale of noise for all
	// of them is worth a warning.
	spreadTold = 100
	// spreadInputs is how many inputs that warning is drawn from.
	spreadInputs = 10_000
)

// Spread is how far each value of an input varies over the inputs of a source.
type Spread struct {
	// Std are the standard deviations (of the population), one a value of an input.
	Std []float64
	// Inputs is how many inputs they are over, From the name of the source of these, and Own says
	// that it is the source itself, not that of its key stats.
	Inputs int
	From   string
	Own    bool

	columns []string
}

// Spread measures the spread over all inputs that can be used: those of the file of the key stats
// where one is given, otherwise the source's own.
func (s *Source) Spread(ctx context.Context) (Spread, error) {
	if s.info.Image {
		return Spread{}, specErrorf("the standard deviation of each column is that of a table (csv, npy, npz), and %s holds images; give a field of scales as FILE.npy", s.info.Name)
	}
	if s.stats == nil {
		spread, err := s.spread(ctx, s.Len())
		spread.Own = true
		return spread, err
	}
	other, err := openSpec(ctx, *s.stats, Options{})
	if err != nil {
		return Spread{}, fmt.Errorf("option stats=: %w", err)
	}
	defer other.Close() //nolint:errcheck // it was only read
	switch {
	case !slices.Equal(other.info.Shape, s.info.Shape):
		return Spread{}, specErrorf("option stats=: an input of %s has shape %v, one of %s %v; name data of the same columns", other.info.Name, other.info.Shape, s.info.Name, s.info.Shape)
	case !slices.Equal(other.info.Columns, s.info.Columns) && len(other.info.Columns) == len(s.info.Columns):
		return Spread{}, specErrorf("option stats=: the columns of %s are %s, those of %s %s; name data of the same columns",
			other.info.Name, listColumns(other.info.Columns), s.info.Name, listColumns(s.info.Columns))
	}
	return other.spread(ctx, other.Len())
}

// spread is Spread over the first inputs of the source itself.
func (s *Source) spread(ctx context.Context, most int) (Spread, error) {
	size := 1
	for _, n := range s.info.Shape {
		size *= n
	}
	out := Spread{Std: make([]float64, size), From: s.info.Name, columns: s.info.Columns}
	mean := make([]float64, size)
	for i := range min(most, s.Len()) {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		rec, err := s.back.load(ctx, i)
		if err != nil || len(rec.values) != size || slices.ContainsFunc(rec.values, notFinite) {
			continue // certification counts it as failed
		}
		out.Inputs++
		// Welford's recurrence; Std holds the sums of squares until the end.
		for j, v := range rec.values {
			d := float64(v) - mean[j]
			mean[j] += d / float64(out.Inputs)
			out.Std[j] += d * (float64(v) - mean[j])
		}
	}
	for j, sum := range out.Std {
		out.Std[j] = math.Sqrt(sum / float64(max(out.Inputs, 1)))
	}
	return out, nil
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }

// Field is the spread as a field of scales. A column of one value has no spread, and is an error
// that matches [ErrSpec].
func (s Spread) Field() ([]float32, error) {
	field := make([]float32, len(s.Std))
	for j, v := range s.Std {
		if field[j] = float32(v); !(field[j] > 0) || math.IsInf(v, 0) {
			return nil, specErrorf("%s does not vary over the %d inputs of %s, so it gives noise no unit; name training data with ?stats=FILE, leave the column out, or give a field of scales as FILE.npy", s.column(j), s.Inputs, s.From)
		}
	}
	return field, nil
}

// String says what the spread was measured on, and for whom a field of it is fixed.
func (s Spread) String() string {
	of := s.From
	if s.Own {
		of = "these data themselves (" + s.From + "; ?stats=FILE takes training data instead)"
	}
	return fmt.Sprintf("the noise is in units of each column: the standard deviations of %d values over %d inputs of %s. They are one field, fixed before any noise is drawn and stored with the certificates, which hold for a classifier that keeps it, not for one that measures it anew on other data", len(s.Std), s.Inputs, of)
}

func (s Spread) column(j int) string {
	if j < len(s.columns) {
		return "column " + s.columns[j]
	}
	return fmt.Sprintf("value %d of an input", j)
}

// UnevenColumns warns of a table whose columns differ in spread so much that noise of one scale
// fits few of them; "" for any other source.
func (s *Source) UnevenColumns(ctx context.Context) (string, error) {
	if s.info.Image || len(s.info.Shape) != 1 {
		return "", nil
	}
	spread, err := s.spread(ctx, spreadInputs)
	if err != nil {
		return "", err
	}
	least, most := -1, -1
	for j, v := range spread.Std {
		if v > 0 && (least < 0 || v < spread.Std[least]) {
			least = j
		}
		if v > 0 && (most < 0 || v > spread.Std[most]) {
			most = j
		}
	}
	if least < 0 || spread.Std[most] <= spreadTold*spread.Std[least] {
		return "", nil
	}
	return fmt.Sprintf("the columns differ in spread by a factor of %.3g: the standard deviation of %s is %.3g, that of %s %.3g. Noise of one scale for all drowns the one or spares the other; --sigma-field std scales it by each column's own",
		spread.Std[most]/spread.Std[least], spread.column(most), spread.Std[most], spread.column(least), spread.Std[least]), nil
}

// withoutStats takes the key stats out of a specification, and gives that of the file it names.
func (s Spec) withoutStats() (own Spec, stats *Spec, err error) {
	file, ok := s.Params["stats"]
	if !ok {
		return s, nil, nil
	}
	path, err := cleanPath(file)
	if err != nil {
		return s, nil, err
	}
	s.Params = maps.Clone(s.Params)
	delete(s.Params, "stats")
	return s, &Spec{Kind: s.Kind, Paths: []string{path}, Params: s.Params}, nil
}
