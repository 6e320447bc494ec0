package base

import (
	"fmt"
	"math"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/autodiff"
)

// single describes a classifier of two classes that returns one score: class 1 above the threshold.
type single struct {
	is        bool
	threshold float32
	// shift is the threshold of the logit, of which the score may be the sigmoid.
	shift float64
}

// singleOf describes a classifier whose scores, of the given width, end as told.
func singleOf(m *models.Model, width int64, end autodiff.Ending) (single, error) {
	if width != 1 {
		return single{}, nil
	}
	d := m.Decision()
	if d.Kind != declare.Threshold {
		return single{}, fmt.Errorf("%w for training: it returns one score a row, and its decision is %s and no threshold", autodiff.ErrNotDifferentiable, d)
	}
	s := single{is: true, threshold: float32(d.T), shift: d.T}
	if end.Operator == "Sigmoid" {
		s.shift = math.Log(d.T / (1 - d.T))
		if !(d.T > 0 && d.T < 1) {
			return single{}, fmt.Errorf("%w for training: the threshold %v of its sigmoid is not between 0 and 1", autodiff.ErrNotDifferentiable, d.T)
		}
	}
	return s, nil
}

// pairs returns scores as those of two classes, which differ by how far the score is above the
// threshold.
func (s single) pairs(scores []float32) []float32 {
	if !s.is {
		return scores
	}
	out := make([]float32, 2*len(scores))
	for i, v := range scores {
		out[2*i+1] = v - s.threshold
	}
	return out
}
