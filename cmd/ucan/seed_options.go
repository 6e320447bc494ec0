package main

import (
	"math/rand/v2"
	"strconv"
)

// seedOptions give the seed of the noise, or leave it to chance.
type seedOptions struct {
	value uint64
	given bool

	text string
}

func (s *seedOptions) declare(o *options) {
	o.in(noiseSection)
	o.text(&s.text, "seed", "seed", "", "seed of the noise (default: a random one, printed and stored)")
}

func (s *seedOptions) check(f *faults) {
	if s.text == "" {
		return
	}
	var err error
	if s.value, err = strconv.ParseUint(s.text, 10, 64); err != nil {
		f.add(&s.text, "%q is not a whole number from 0 to 2^64−1", s.text)
	}
	s.given = true
}

// fix draws a seed where none is given, and returns the one in force.
func (s *seedOptions) fix() uint64 {
	if !s.given {
		s.value, s.given = rand.Uint64(), true
	}
	return s.value
}
