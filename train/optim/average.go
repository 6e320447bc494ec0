package optim

import "fmt"

// Average is the exponential moving average of weights (Polyak averaging with forgetting): after
// step t,
//
//	avg ← d·avg + (1 − d)·w with d = min(Decay, t/(t + 9)),
//
// so that the first steps are not drowned by the initial weights.
type Average struct {
	decay   float64
	live    [][]float32
	average []Tensor
}

// NewAverage averages the given live tensors with a decay in (0, 1), beginning with their present
// values.
func NewAverage(decay float64, live []Tensor) (*Average, error) {
	if !(decay > 0 && decay < 1) {
		return nil, fmt.Errorf("%w: the decay of the weights' average is %v; it must lie in (0, 1), such as 0.999", ErrConfig, decay)
	}
	a := &Average{decay: decay}
	for _, t := range live {
		a.live = append(a.live, t.Values)
		a.average = append(a.average, Tensor{Name: "average/" + t.Name, Values: append([]float32(nil), t.Values...)})
	}
	return a, nil
}

// Update takes in the live tensors after the step with the given number, from 1.
func (a *Average) Update(step int64) {
	d := min(a.decay, float64(step)/float64(step+9))
	keep, take := float32(d), float32(1-d)
	values := 0
	for _, w := range a.live {
		values += len(w)
	}
	spread(len(a.live), values, func(i int) {
		w := a.live[i]
		avg := a.average[i].Values[:len(w)]
		for j := range w {
			avg[j] = float32(keep*avg[j]) + float32(take*w[j])
		}
	})
}

// Swap exchanges the live values and the averages: once to use the averages in place of the
// weights, once more to go on training.
func (a *Average) Swap() {
	for i, w := range a.live {
		avg := a.average[i].Values
		for j := range w {
			w[j], avg[j] = avg[j], w[j]
		}
	}
}

// State returns the averages, for checkpoints.
func (a *Average) State() []Tensor { return a.average }
