// Package radii answers questions about certified radii: the calculator behind the certificates,
// for one question or a table of them.
package radii

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"ucan/internal/fault"
	"ucan/smooth"
	"ucan/smooth/family"
)

// Question asks for a certified radius; as JSON it is a row of a table.
type Question struct {
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
func (q *Question) UnmarshalJSON(data []byte) error {
	type plain Question
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

// Radius answers the question.
func (q Question) Radius() (float64, error) {
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

func (q Question) scale(noise family.Family) (float64, error) {
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
func (q Question) unitRadius(noise family.Isotropic, norm family.Norm) (float64, error) {
	if q.PUpper != nil {
		two, ok := noise.(family.TwoBounds)
		if !ok {
			return 0, fmt.Errorf("no formula with two bounds is known for %s; leave --p-upper out", noise.Name())
		}
		return two.RadiusTwoBounds(norm, q.Dim, q.PLower, *q.PUpper)
	}
	return family.RadiusBy(noise, q.Method, norm, q.Dim, q.PLower)
}

// Answer answers a table of questions, a JSON object a line: each line is copied with its radius.
func Answer(ctx context.Context, in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), 1<<24)
	for line := 1; lines.Scan(); line++ {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), w.Flush())
		}
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		answer, err := answer(text)
		if err != nil {
			return errors.Join(fault.Wrongf("line %d: %w", line, err), w.Flush())
		}
		if _, err := w.Write(append(answer, '\n')); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), w.Flush())
}

// answer copies a row and sets its radius.
func answer(text []byte) ([]byte, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, fmt.Errorf("%w; write one JSON object per line", err)
	}
	var q Question
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, err
	}
	radius, err := q.Radius()
	if err != nil {
		return nil, err
	}
	if row["radius"], err = json.Marshal(Number(radius)); err != nil {
		return nil, err
	}
	return json.Marshal(row)
}

// Number writes infinities, which JSON lacks, as strings.
func Number(v float64) any {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return fmt.Sprint(v)
	}
	return v
}

// Family describes one family of noise.
type Family struct {
	Name     string         `json:"name"`
	Defaults map[string]any `json:"defaults"`
	Norms    []string       `json:"norms"`
	Default  string         `json:"default_norm"`
}

// Families describes all families.
func Families() ([]Family, error) {
	var rows []Family
	for _, name := range family.Names() {
		f, err := family.New(name, nil)
		if err != nil {
			return nil, err
		}
		row := Family{Name: name, Defaults: map[string]any{}}
		for parameter, value := range family.Defaults(name) {
			row.Defaults[parameter] = Number(value)
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
	return rows, nil
}
