package spectrum

import (
	"fmt"
	"slices"

	"ucan/smooth/basis"
)

const (
	// priorMean and priorVariance are those of the values of photographs in [0, 1]: mid-grey, and a
	// standard deviation of a quarter.
	priorMean     = 0.5
	priorVariance = 1.0 / 16
)

// Prior returns the moments that photographs in [0, 1] of a shape [C, H, W] have on average, for
// want of any data: mean ½, variance 1/16, and power that falls with the square of the frequency,
// P ∝ 1/(1 + u² + v²), the same in every channel.
//
// Source: Field, "Relations between the statistics of natural images and the response properties of
// cortical cells", 1987, for the power law; mean and variance are round figures.
func Prior(shape []int) (*Moments, error) {
	if len(shape) != 3 {
		return nil, fmt.Errorf("there is no prior for inputs of shape %v: it is for images [channels, height, width]; give data", shape)
	}
	t, err := basis.DCT2(shape)
	if err != nil {
		return nil, err
	}
	m := &Moments{Shape: slices.Clone(shape), dct: t}
	_, plane := m.channels()
	m.Mean, m.values = make([]float64, t.Dim()), make([]float64, t.Dim())
	power := make([]float64, plane)
	sum := 0.0
	for k := range plane {
		u, v := float64(k/shape[2]), float64(k%shape[2])
		power[k] = 1 / (1 + u*u + v*v)
		sum += power[k]
	}
	for k := range power {
		power[k] *= priorVariance * float64(plane) / sum
	}
	for i := range m.Mean {
		m.Mean[i], m.values[i] = priorMean, priorVariance
	}
	m.joint = m.newSums(t.Dim()).joint
	m.eachPair(func(a, b int, at []float64) {
		if a == b {
			copy(at, power)
		}
	})
	return m, nil
}
