package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/table"
	"ucan/runtime/files"
	"ucan/smooth"
	"ucan/smooth/family"
)

func newRadiusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "radius",
		Short: "Calculate the radius that a bound on p_A certifies",
		Long: `Radius is the calculator behind the certificates: the certified radius of a noise family at a scale, in a norm and
dimension, for a lower bound on the top class's probability (and, where the family has a formula, an upper bound on every
other class's). --rows reads a table of such questions as JSON lines; --list shows the families.`,
		Example: `  ucan radius --noise gaussian --norm l2 --sigma 0.5 --dim 3072 --p-lower 0.99
  ucan radius --noise laplace --norm linf --lambda 1 --dim 784 --p-lower 0.999
  ucan radius --list`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRadius(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), "noise.family", "noise.norm", "noise.sigma", "noise.lambda", "noise.param",
		"radius.dim", "radius.p_lower", "radius.p_upper", "radius.method", "radius.rows", "radius.list")
	return cmd
}

func runRadius(ctx context.Context, a *app) error {
	r := a.values()
	switch {
	case r.flag("radius.list"):
		return listFamilies(a)
	case r.given("radius.rows"):
		return radiusRows(ctx, a, r.text("radius.rows"))
	}
	q := question{Family: strings.ToLower(r.text("noise.family")), Norm: r.text("noise.norm"), Method: r.text("radius.method"), Params: parameters(r)}
	if dim := r.int("radius.dim", 0, math.MaxInt32); dim > 0 {
		q.Dim = int(dim)
	} else {
		r.fault("radius.dim", "no dimension given; give the number of input coordinates, such as 784")
	}
	q.PLower = r.float("radius.p_lower")
	if !r.given("radius.p_lower") {
		r.fault("radius.p_lower", "no bound given; give the lower bound on the top class's probability")
	}
	for key, value := range map[string]**float64{"noise.sigma": &q.Sigma, "noise.lambda": &q.Lambda, "radius.p_upper": &q.PUpper} {
		if r.given(key) {
			v := r.float(key)
			*value = &v
		}
	}
	if q.Sigma != nil && q.Lambda != nil {
		r.fault("noise.sigma", "both --sigma and --lambda are given; give one")
	}
	if err := r.err(); err != nil {
		return err
	}
	radius, err := q.radius()
	if err != nil {
		return usagef("radius: %w", err)
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"radius": number(radius)})
	}
	_, err = fmt.Fprintf(a.stdout, "%v\n", radius)
	return err
}

// question is one row of a table of radii.
type question struct {
	Family string             `json:"family"`
	Norm   string             `json:"norm"`
	Dim    int                `json:"dim"`
	Lambda *float64           `json:"lambda"`
	Sigma  *float64           `json:"sigma"`
	Params map[string]float64 `json:"params"`
	PLower float64            `json:"p_lower"`
	PUpper *float64           `json:"p_upper"`
	Method string             `json:"method"`
}

// UnmarshalJSON takes norms as names or as the numbers 1 and 2, and null parameters as left out.
func (q *question) UnmarshalJSON(data []byte) error {
	type plain question
	row := struct {
		*plain
		Norm   any                 `json:"norm"`
		Params map[string]*float64 `json:"params"`
	}{plain: (*plain)(q)}
	if err := json.Unmarshal(data, &row); err != nil {
		return err
	}
	if row.Norm != nil {
		q.Norm = fmt.Sprint(row.Norm)
	}
	q.Params = map[string]float64{}
	for name, value := range row.Params {
		if value != nil {
			q.Params[name] = *value
		}
	}
	return nil
}

// normName reads "l1", "1", "L1", "linf", "inf", ….
func normName(text string) string {
	switch name := strings.ToLower(text); name {
	case "1", "2", "inf":
		return "l" + name
	default:
		return name
	}
}

// familyName reads a family's name in any case, and the reference tables' name of the uniform ball.
func familyName(text string) string {
	if name := strings.ToLower(text); name != "uniformball" {
		return name
	}
	return "ball"
}

func (q question) radius() (float64, error) {
	noise, err := family.New(familyName(q.Family), q.Params)
	if err != nil {
		return 0, err
	}
	norm := noise.Norms()[0]
	if q.Norm != "" {
		if norm, err = family.ParseNorm(normName(q.Norm)); err != nil {
			return 0, err
		}
	}
	if q.Dim < 1 {
		return 0, fmt.Errorf("the dimension is %d; it must be at least 1", q.Dim)
	}
	if noise, err = family.ForDim(noise, q.Dim); err != nil {
		return 0, err
	}
	lambda, err := q.scale(noise)
	if err != nil {
		return 0, err
	}
	unit, err := q.unitRadius(noise, norm)
	if err != nil {
		return 0, err
	}
	return smooth.ScaleRadius(lambda, unit), nil
}

func (q question) scale(noise family.Family) (float64, error) {
	switch {
	case q.Lambda != nil:
		if !(*q.Lambda > 0) || math.IsInf(*q.Lambda, 0) {
			return 0, fmt.Errorf("lambda is %v; it must be positive and finite", *q.Lambda)
		}
		return *q.Lambda, nil
	case q.Sigma != nil:
		return smooth.LambdaFor(noise, q.Dim, *q.Sigma)
	default:
		return 0, errors.New("no scale given; give --lambda or --sigma")
	}
}

// unitRadius is the radius at λ = 1.
func (q question) unitRadius(noise family.Isotropic, norm family.Norm) (float64, error) {
	if q.PUpper != nil {
		two, ok := noise.(family.TwoBounds)
		if !ok {
			return 0, fmt.Errorf("no formula with two bounds is known for %s; leave --p-upper out", noise.Name())
		}
		return two.RadiusTwoBounds(norm, q.Dim, q.PLower, *q.PUpper)
	}
	return family.RadiusBy(noise, q.Method, norm, q.Dim, q.PLower)
}

// radiusRows answers a table of questions: JSON lines, or a document whose "rows" is an array of them.
func radiusRows(ctx context.Context, a *app, path string) (err error) {
	input := io.Reader(os.Stdin)
	if path != "-" {
		file, openErr := files.Open(path)
		if openErr != nil {
			return fmt.Errorf("read rows: %w; name a file of JSON lines, or - for standard input", openErr)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		input = file
	}
	out := bufio.NewWriter(a.stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	lines := bufio.NewScanner(input)
	lines.Buffer(make([]byte, 0, 1<<16), 1<<24)
	for line := 1; lines.Scan(); line++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		answer, answerErr := answerRow(text)
		if answerErr != nil {
			return usagef("read rows %q: line %d: %w", path, line, answerErr)
		}
		if _, err := out.Write(append(answer, '\n')); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read rows %q: %w", path, err)
	}
	return nil
}

// answerRow copies the row and sets its radius.
func answerRow(text []byte) ([]byte, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, fmt.Errorf("%w; write one JSON object per line", err)
	}
	var q question
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, err
	}
	radius, err := q.radius()
	if err != nil {
		return nil, err
	}
	if row["radius"], err = json.Marshal(number(radius)); err != nil {
		return nil, err
	}
	return json.Marshal(row)
}

// number writes infinities, which JSON lacks, as strings.
func number(v float64) any {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return fmt.Sprint(v)
	}
	return v
}

// familyRow describes one family.
type familyRow struct {
	Name     string         `json:"name"`
	Defaults map[string]any `json:"defaults"`
	Norms    []string       `json:"norms"`
	Default  string         `json:"default_norm"`
}

func listFamilies(a *app) error {
	var rows []familyRow
	for _, name := range family.Names() {
		f, err := family.New(name, nil)
		if err != nil {
			return err
		}
		row := familyRow{Name: name, Defaults: map[string]any{}}
		for parameter, value := range family.Defaults(name) {
			row.Defaults[parameter] = number(value)
			if math.IsNaN(value) {
				row.Defaults[parameter] = "by dimension"
			}
		}
		for _, norm := range f.Norms() {
			row.Norms = append(row.Norms, norm.String())
		}
		row.Default = row.Norms[0]
		rows = append(rows, row)
	}
	if a.json() {
		return writeJSON(a.stdout, rows)
	}
	t := table.New("family", "parameters and defaults", "norms with a theorem", "default norm")
	for _, r := range rows {
		var parts []string
		for name, value := range r.Defaults {
			parts = append(parts, fmt.Sprintf("%s=%v", name, value))
		}
		t.Row(r.Name, strings.Join(slices.Sorted(slices.Values(parts)), ", "), strings.Join(r.Norms, ", "), r.Default)
	}
	_, err := t.WriteTo(a.stdout)
	return err
}
