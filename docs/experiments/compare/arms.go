package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/gonum/mat"

	"ucan/internal/dataset"
	"ucan/internal/results"
	"ucan/smooth/certificate"
	"ucan/smooth/region"
)

// arm is one certificate file.
type arm struct {
	name      string
	isotropic bool
	guarantee string
	rows      []results.Row
	sizes     []size
	inputs    []string // digests of the inputs
	// meanSigma and largest describe the noise, over all coordinates of all inputs.
	meanSigma, largest float64
}

// size is how large one certified region is: the radius of its ℓ2 ball, its ALM radius, and the ALM radius of its
// section through the inputs that vary; 0 without a region.
type size struct{ l2, alm, section float64 }

// measured returns the rows with another measure of the region as their radius.
func (a *arm) measured(of func(size) float64) []results.Row {
	rows := make([]results.Row, len(a.rows))
	for i, r := range a.rows {
		rows[i] = r
		rows[i].Radius = of(a.sizes[i])
	}
	return rows
}

// keep drops the inputs that are not wanted.
func (a *arm) keep(want func(input string) bool) {
	n := 0
	for i, in := range a.inputs {
		if want(in) {
			a.rows[n], a.sizes[n], a.inputs[n] = a.rows[i], a.sizes[i], in
			n++
		}
	}
	a.rows, a.sizes, a.inputs = a.rows[:n], a.sizes[:n], a.inputs[:n]
}

// readArm reads a certificate file; varies tells which inputs vary, nil for all.
func readArm(name, path string, varies []bool) (a arm, err error) {
	f, err := os.Open(path)
	if err != nil {
		return a, err
	}
	defer func() { _ = f.Close() }()
	a = arm{name: name}
	folder, sections := certificate.NewFolder(filepath.Dir(path)), sections{varies: varies, known: map[string]float64{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, certificate.MaxLine)
	for lines.Scan() {
		if err = a.add(lines.Bytes(), folder, &sections); err != nil {
			return a, fmt.Errorf("%s: line %d: %w", path, len(a.rows)+1, err)
		}
	}
	if err = lines.Err(); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	if len(a.rows) == 0 {
		return a, fmt.Errorf("%s: no certificates", path)
	}
	a.meanSigma /= float64(len(a.rows))
	return a, nil
}

// add takes one certificate into account.
func (a *arm) add(line []byte, load certificate.Loader, sections *sections) error {
	c, err := certificate.Parse(line)
	if err != nil {
		return err
	}
	row, err := results.ParseCertificate(line)
	if err != nil {
		return err
	}
	s := size{l2: row.L2, alm: row.ALM}
	switch {
	case c.Status != certificate.Certified:
	case c.Noise.SigmaField == nil && len(c.Regions) == 1: // a ball: R itself, where the stored ALM is rounded down
		s.alm, s.section = float64(c.Regions[0].R), float64(c.Regions[0].R)
	default:
		if s.section, err = sections.radius(c, load); err != nil {
			return err
		}
	}
	a.rows, a.sizes, a.inputs = append(a.rows, row), append(a.sizes, s), append(a.inputs, c.Input.SHA256)
	a.guarantee = string(c.Guarantee)
	return a.addNoise(c, load)
}

// addNoise takes the scales of a certificate's noise into account.
func (a *arm) addNoise(c *certificate.Certificate, load certificate.Loader) error {
	noise, err := c.SealedNoise(load)
	if err != nil {
		return err
	}
	lambda := float64(c.Noise.Lambda)
	field := noise.Noise().Sigma
	if field == nil {
		a.meanSigma, a.largest = a.meanSigma+lambda, max(a.largest, lambda)
		return nil
	}
	sum := 0.0
	for _, s := range field {
		sum += float64(s)
		a.largest = max(a.largest, lambda*float64(s))
	}
	a.meanSigma += lambda * sum / float64(len(field))
	return nil
}

// sections computes ALM radii of sections, once for every field.
type sections struct {
	varies []bool
	known  map[string]float64
}

// radius is the ALM radius of the region's section by the perturbations of varying inputs alone.
func (s *sections) radius(c *certificate.Certificate, load certificate.Loader) (float64, error) {
	in, err := c.Intersection(load)
	if err != nil {
		return 0, err
	}
	r := in[0]
	if len(in) != 1 || s.varies == nil || r.Sigma == nil {
		return in.ALM()
	}
	key := c.Noise.SigmaField.SHA256
	factor, ok := s.known[key]
	if !ok {
		if factor, err = s.factor(r); err != nil {
			return 0, err
		}
		s.known[key] = factor
	}
	return r.R * factor, nil
}

// factor is the section's ALM radius for R = 1. In the input's own coordinates that is the geometric mean of the scales
// of the k varying inputs. In a basis U the section is {δ : ‖diag(1/s)UᵀPᵀδ‖ ≤ 1}, whose ALM radius is
// det(P U diag(s)⁻² UᵀPᵀ)^{−1/2k}.
func (s *sections) factor(r region.Region) (float64, error) {
	if len(s.varies) != r.Dim {
		return 0, fmt.Errorf("the training data has %d inputs, the certificate %d", len(s.varies), r.Dim)
	}
	var index []int
	sum := 0.0
	for i, v := range s.varies {
		if v {
			index = append(index, i)
			sum += math.Log(float64(r.Sigma[i]))
		}
	}
	if r.Basis == nil {
		return math.Exp(sum / float64(len(index))), nil
	}
	rows := mat.NewDense(r.Dim, len(index), nil) // diag(1/s)UᵀPᵀ
	unit, coefficients := make([]float64, r.Dim), make([]float64, r.Dim)
	for j, i := range index {
		unit[i] = 1
		r.Basis.Coefficients(coefficients, unit)
		unit[i] = 0
		for k, v := range coefficients {
			rows.Set(k, j, v/float64(r.Sigma[k]))
		}
	}
	var gram mat.SymDense
	gram.SymOuterK(1, rows.T())
	var cholesky mat.Cholesky
	if !cholesky.Factorize(&gram) {
		return 0, fmt.Errorf("the section of %d inputs is degenerate", len(index))
	}
	return math.Exp(-cholesky.LogDet() / (2 * float64(len(index)))), nil
}

// varying tells which inputs of the training data take more than one value.
func varying(ctx context.Context, spec string, maxInputs int) ([]bool, error) {
	source, err := dataset.Open(ctx, spec, dataset.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	selection := dataset.DefaultSelection()
	if maxInputs > 0 {
		selection.Max = maxInputs
	}
	indices, err := selection.Indices(source.Len())
	if err != nil {
		return nil, err
	}
	var first []float32
	var varies []bool
	for _, i := range indices {
		item, err := source.At(ctx, i)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first, varies = item.X, make([]bool, len(item.X))
		}
		for j, v := range item.X {
			varies[j] = varies[j] || v != first[j] //nolint:gosec // all inputs of a source have one shape
		}
	}
	return varies, nil
}
