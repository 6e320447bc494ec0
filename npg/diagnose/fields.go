package diagnose

import "math"

// atBound is how close, relatively, a value must be to a bound to count as being at it: wider than
// float32 rounding, narrower than anything training would call a difference.
const atBound = 1e-3

// describeSigma summarises the scale fields.
func describeSigma(cases []specimen, floor, ceiling float64) Scale {
	dim := len(cases[0].X)
	out := Scale{Min: math.Inf(1), Floor: floor, Ceiling: ceiling}
	// Sums of log σ and of its square over inputs, one a coordinate.
	sum, square := make([]float64, dim), make([]float64, dim)
	var total, logs, within, gain float64
	var low, high int
	for _, c := range cases {
		least, s, q := math.Inf(1), 0.0, 0.0
		for i := range dim {
			v := 1.0
			if c.sigma != nil {
				v = float64(c.sigma[i])
			}
			total += v
			least, out.Max = min(least, v), max(out.Max, v)
			if floor > 0 && v <= floor*(1+atBound) {
				low++
			}
			if ceiling > 0 && v >= ceiling*(1-atBound) {
				high++
			}
			l := math.Log(v)
			s, q = s+l, q+l*l
			sum[i] += l
			square[i] += l * l
		}
		out.Min = min(out.Min, least)
		logs += s
		within += variance(s, q, dim)
		gain += s/float64(dim) - math.Log(least)
	}
	n, all := float64(len(cases)), float64(len(cases)*dim)
	out.Mean, out.GeometricMean = total/all, math.Exp(logs/all)
	out.SpreadCoordinates = math.Sqrt(within / n)
	between := 0.0
	for i := range dim {
		between += variance(sum[i], square[i], len(cases))
	}
	out.SpreadInputs = math.Sqrt(between / float64(dim))
	out.VolumeGain = math.Exp(gain / n)
	out.AtFloor, out.AtCeiling = float64(low)/all, float64(high)/all
	return out
}

// variance of n values from their sum and sum of squares. Rounding leaves about 1e-16 of the mean
// square, far below the spreads that matter.
func variance(sum, square float64, n int) float64 {
	mean := sum / float64(n)
	return max(0, square/float64(n)-mean*mean)
}

// describeMu summarises the offset fields.
func describeMu(cases []specimen, muCap float64) Offset {
	dim := len(cases[0].X)
	mean := make([]float64, dim)
	for _, c := range cases {
		for i, m := range c.mu {
			mean[i] += float64(m) / float64(len(cases))
		}
	}
	out := Offset{Cap: muCap}
	n, lit := float64(len(cases)), 0.0
	for _, c := range cases {
		var mu2, x2, v2 float64
		for i, x := range c.X {
			m := 0.0
			if c.mu != nil {
				m = float64(c.mu[i])
			}
			mu2 += m * m
			v2 += (m - mean[i]) * (m - mean[i])
			x2 += float64(x) * float64(x)
		}
		out.Norm += math.Sqrt(mu2) / n
		out.InputNorm += math.Sqrt(x2) / n
		if x2 > 0 {
			lit++
			out.OfInput += math.Sqrt(mu2 / x2)
			out.Varying += math.Sqrt(v2 / x2)
		}
	}
	if lit > 0 {
		out.OfInput /= lit
		out.Varying /= lit
	}
	if muCap > 0 {
		out.OfCap = out.Norm / (muCap * math.Sqrt(float64(dim)))
	}
	return out
}
