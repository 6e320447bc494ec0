package stream

import "math"

// Normal returns one standard normal variate in float64, by the ziggurat of
// [Source.NormalInto] with at least 77 random bits: resolution 1e-15, lost mass
// at most [LostMass].
func (s *Source) Normal() float64 { return s.normal(uint32(s.Uint64() >> 32)) }

// Exponential returns one variate of density e^(−x), x > 0, in float64.
// Resolution 1e-15, lost mass at most [LostMass]; it reaches 87.
func (s *Source) Exponential() float64 { return math.Abs(s.laplace(uint32(s.Uint64() >> 32))) }

// Gamma returns one variate of the gamma law with the given shape a > 0 and scale
// 1, density x^(a−1) e^(−x)/Γ(a), by Marsaglia and Tsang's method ("A simple
// method for generating gamma variables", ACM TOMS 26(3), 2000); for a < 1 as
// Gamma(a+1)·U^(1/a). It returns NaN when a is not a positive finite number.
//
// The method is exact in real arithmetic; lost mass at most [LostMass] per try
// (fewer than 1.1 tries on average for a ≥ 1), relative resolution 1e-14.
func (s *Source) Gamma(a float64) float64 {
	if !(a > 0) || math.IsInf(a, 1) {
		return math.NaN()
	}
	if a < 1 {
		g := s.Gamma(a + 1)
		return g * math.Exp(math.Log(s.Float64Open())/a)
	}
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.Normal()
		v := 1 + float64(c*x) // float64() keeps compilers from fusing: same bits everywhere
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := s.Float64Open()
		if u < 1-0.0331*(x*x)*(x*x) { // the published squeeze
			return d * v
		}
		if math.Log(u) < 0.5*x*x+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}
