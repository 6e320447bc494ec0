package compare

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"ucan/internal/dataset"
	"ucan/smooth/certificate"
	"ucan/smooth/region"
)

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

// factor is the section's ALM radius for R = 1. In the input's own coordinates that is the
// geometric mean of the scales of the k varying inputs. In a basis U the section is {δ :
// ‖diag(1/s)UᵀPᵀδ‖ ≤ 1}, whose ALM radius is det(P U diag(s)⁻² UᵀPᵀ)^{−1/2k}.
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

// Varying tells which coordinates take more than one value among the first inputs of a source, all
// of them where most is 0.
func Varying(ctx context.Context, source *dataset.Source, most int) ([]bool, error) {
	selection := dataset.DefaultSelection()
	if most > 0 {
		selection.Max = most
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
