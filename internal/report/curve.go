package report

import (
	"fmt"
	"math"
	"sort"

	"ucan/internal/results"
)

// Curve gives the certified accuracy at each radius r of the grid: the share of
// the judged rows that are right and certified at r or more, with exact intervals at
// the given confidence, each for its radius alone.
func Curve(rows []results.Row, grid []float64, confidence float64) ([]Point, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("curve: %w; certify some inputs first", ErrEmpty)
	}
	if err := checkGrid(grid); err != nil {
		return nil, fmt.Errorf("curve: %w", err)
	}
	rows = Judged(rows)
	radii := certifiedRadii(rows)
	out := make([]Point, len(grid))
	for i, r := range grid {
		// The number of radii that are r or more.
		k := len(radii) - sort.SearchFloat64s(radii, r)
		interval, err := exact(k, len(rows), confidence)
		if err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
		out[i] = Point{Radius: r, CertifiedAccuracy: float64(k) / float64(len(rows)), Interval: interval}
	}
	return out, nil
}

// certifiedRadii lists the radii of the rows that are right and certified, rising.
func certifiedRadii(rows []results.Row) []float64 {
	var radii []float64
	for _, r := range rows {
		if r.Correct && r.Status == results.Certified {
			radii = append(radii, r.Radius)
		}
	}
	sort.Float64s(radii)
	return radii
}

// NiceGrid chooses about ten round radii from 0 up to the largest one certified.
// When nothing is certified it is 0 alone.
func NiceGrid(rows []results.Row) []float64 {
	largest := 0.0
	for _, r := range certifiedRadii(rows) {
		if !math.IsInf(r, 0) {
			largest = math.Max(largest, r)
		}
	}
	grid := []float64{0}
	if largest == 0 {
		return grid
	}
	step := niceStep(largest / 8)
	for k := 1; float64(k)*step <= largest*(1+1e-12); k++ {
		// Rounding to a multiple of the step's own unit keeps 0.3 from being 0.30000000000000004.
		grid = append(grid, roundTo(float64(k)*step, step))
	}
	return grid
}

// niceStep is the largest of 1, 2, 2.5 and 5 times a power of ten that is not
// above v.
func niceStep(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{5, 2.5, 2, 1} {
		if m*unit <= v {
			return m * unit
		}
	}
	return unit
}

// roundTo rounds v to the number of decimals that multiples of step need.
func roundTo(v, step float64) float64 {
	scale := math.Pow(10, 2-math.Floor(math.Log10(step)))
	if r := math.Round(v*scale) / scale; !math.IsInf(r, 0) && !math.IsNaN(r) {
		return r
	}
	return v
}
