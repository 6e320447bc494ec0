package plan

import "math/rand/v2"

// source draws the random numbers of a simulation; the same seed gives the same run everywhere.
type source struct{ r *rand.Rand }

func newSource(seed uint64) *source { return &source{rand.New(rand.NewPCG(seed, 0x5eed))} }

func (s *source) intN(n int) int { return s.r.IntN(n) }

// exponential draws a time with the given mean.
func (s *source) exponential(mean float64) float64 { return s.r.ExpFloat64() * mean }
