package spectrum

import (
	"context"
	"errors"
	"fmt"

	"ucan/internal/dataset"
	"ucan/smooth/basis"
)

// sums are sums over inputs of z = x − origin, of its squares, and of products of its coefficients.
type sums struct {
	n, skipped    int
	first, second []float64
	// joint are products of the coefficients of two channels at a frequency, in the order of
	// Moments.eachPair, or of two columns of a table; nil where neither is measured.
	joint []float64
	fault error // of the first unusable input

	dct     *basis.Transform
	z, c    []float64
	columns bool
}

func (m *Moments) newSums(d int) *sums {
	s := &sums{first: make([]float64, d), second: make([]float64, d), dct: m.dct, z: make([]float64, d)}
	switch {
	case m.dct != nil:
		channels, plane := m.channels()
		pairs := channels
		if channels <= maxChannels {
			pairs = channels * (channels + 1) / 2
		}
		s.joint, s.c = make([]float64, pairs*plane), make([]float64, d)
	case d <= MaxColumns:
		s.joint, s.columns = make([]float64, d*d), true
	}
	return s
}

// read sums inputs anew.
func (s *sums) read(ctx context.Context, source Source, indices []int, origin []float32, each func()) error {
	s.reset()
	for _, i := range indices {
		if err := ctx.Err(); err != nil {
			return err
		}
		item, err := source.At(ctx, i)
		var bad *dataset.ItemError
		switch {
		case errors.As(err, &bad):
		case err != nil:
			return err
		case len(item.X) != len(origin):
			return fmt.Errorf("measure %s: %w: input %d has %d values and the first %d", source.Info().Name, ErrData, i, len(item.X), len(origin))
		case !finite(item.X):
			err = fmt.Errorf("input %d holds NaN or infinite values", i)
		}
		if each != nil {
			each()
		}
		if err != nil {
			s.skipped++
			if s.fault == nil {
				s.fault = err
			}
			continue
		}
		s.one(item.X, origin)
	}
	return nil
}

func (s *sums) reset() {
	s.n, s.skipped, s.fault = 0, 0, nil
	clear(s.first)
	clear(s.second)
	clear(s.joint)
}

// one adds an input.
func (s *sums) one(x, origin []float32) {
	s.n++
	for i := range s.z {
		z := float64(x[i]) - float64(origin[i])
		s.z[i] = z
		s.first[i] += z
		s.second[i] += z * z
	}
	switch {
	case s.dct != nil:
		s.frequencies()
	case s.columns:
		d := len(s.z)
		for i, a := range s.z {
			row := s.joint[i*d : (i+1)*d]
			for j, b := range s.z {
				row[j] += a * b
			}
		}
	}
}

// frequencies adds the products of the coefficients of channels.
func (s *sums) frequencies() {
	s.dct.Coefficients(s.c, s.z)
	channels := s.dct.Shape()[0]
	plane := len(s.c) / channels
	at := s.joint
	for a := range channels {
		x := s.c[a*plane : (a+1)*plane]
		for b := a; b < channels && (b == a || channels <= maxChannels); b++ {
			y := s.c[b*plane : (b+1)*plane]
			for k, v := range x {
				at[k] += v * y[k]
			}
			at = at[plane:]
		}
	}
}

// add adds another's sums.
func (s *sums) add(o *sums) {
	s.n, s.skipped = s.n+o.n, s.skipped+o.skipped
	if s.fault == nil {
		s.fault = o.fault
	}
	for i, v := range o.first {
		s.first[i] += v
	}
	for i, v := range o.second {
		s.second[i] += v
	}
	for i, v := range o.joint {
		s.joint[i] += v
	}
}
