package data

import "math"

// moments computes mean and standard deviation per channel, in two passes of float64 sums in order.
func moments(s *Set, channels int) (mean, std []float64) {
	mean, std = make([]float64, channels), make([]float64, channels)
	x := make([]float32, s.dim)
	area := s.dim / channels
	n := float64(s.Len() * area)
	for i := range s.Len() {
		s.Read(i, x)
		for j, v := range x {
			mean[j/area] += float64(v)
		}
	}
	for c := range mean {
		mean[c] /= n
	}
	for i := range s.Len() {
		s.Read(i, x)
		for j, v := range x {
			d := float64(v) - mean[j/area]
			std[j/area] += d * d
		}
	}
	for c := range std {
		if std[c] = math.Sqrt(std[c] / n); std[c] < 1e-6 {
			std[c] = 1
		}
	}
	return mean, std
}
