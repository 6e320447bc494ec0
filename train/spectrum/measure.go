// Package spectrum measures what inputs look like: their mean m and the power P of x − m in an
// orthonormal basis U. A Wiener filter (package wiener) and noise shaped to the data are made of
// both.
//
// Labels are never read. Inputs to be certified must not be measured: noise or a filter that
// looked at them is no longer fixed before the data.
package spectrum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"ucan/internal/dataset"
	"ucan/smooth/basis"
)

// Source is what is measured: package dataset's sources.
type Source interface {
	// At reads the input with an index. A *dataset.ItemError means that only this input cannot be
	// used.
	At(ctx context.Context, i int) (dataset.Item, error)
	// Info describes the source.
	Info() dataset.Info
}

const (
	// maxChannels bounds the channels whose joint power is measured, which takes the square of it.
	maxChannels = 4
	// MaxColumns bounds the columns of tables whose covariance is measured.
	MaxColumns = 1024
	// block is the number of inputs that are summed at a time. It decides the order of the sums,
	// and so their last bits.
	block = 128
	// maxSkipped is the largest fraction of unusable inputs.
	maxSkipped = 0.1
)

// ErrData marks inputs that cannot be measured.
var ErrData = errors.New("the data cannot be measured")

// Moments are the first two moments of inputs: what [Measure] found, or a [Prior].
type Moments struct {
	// Shape is that of one input.
	Shape []int
	// Inputs were measured, 0 for a prior; Skipped were unusable and left out.
	Inputs, Skipped int
	// Mean is m, one value a coordinate.
	Mean []float64

	values     []float64        // variance of each coordinate
	dct        *basis.Transform // nil for tables
	joint      []float64        // for each pair of channels a ≤ b, covariance at each frequency
	covariance []float64        // of the columns of a table, row-major; nil for others
}

// Dim is the number of coordinates of an input.
func (m *Moments) Dim() int { return len(m.Mean) }

// Measure reads the inputs with the given indices once, on all processors, and calls each after
// every one, from any goroutine. The result is the same on any number of processors. Unusable
// inputs are left out and counted; more than a tenth of them, or fewer than two usable ones, is an
// error that matches [ErrData].
func Measure(ctx context.Context, source Source, indices []int, each func()) (*Moments, error) {
	info := source.Info()
	origin, err := firstUsable(ctx, source, indices)
	if err != nil {
		return nil, err
	}
	m := &Moments{Shape: slices.Clone(info.Shape)}
	if len(info.Shape) > 1 {
		if m.dct, err = basis.DCT2(info.Shape); err != nil {
			return nil, fmt.Errorf("measure %s: %w", info.Name, err)
		}
	}
	total, err := m.sumAll(ctx, source, indices, origin, each)
	if err != nil {
		return nil, err
	}
	if total.n < 2 || float64(total.skipped) > maxSkipped*float64(len(indices)) {
		err = fmt.Errorf("measure %s: %w: %d of %d inputs are usable; give two or more, of which at most a tenth cannot be used", info.Name, ErrData, total.n, len(indices))
		if total.fault != nil {
			err = fmt.Errorf("%w; the first fault: %w", err, total.fault)
		}
		return nil, err
	}
	m.take(total, origin)
	return m, nil
}

// firstUsable reads the first usable input. Sums of differences from it keep their digits where a
// column's mean is large beside its spread.
func firstUsable(ctx context.Context, source Source, indices []int) ([]float32, error) {
	var fault error
	for _, i := range indices {
		item, err := source.At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(err, &bad) {
			fault = err
			continue
		}
		return item.X, err
	}
	if fault == nil {
		fault = errors.New("no input is selected")
	}
	return nil, fmt.Errorf("measure %s: %w: %w", source.Info().Name, ErrData, fault)
}

// sumAll sums the blocks on all processors and adds them up in their order.
func (m *Moments) sumAll(ctx context.Context, source Source, indices []int, origin []float32, each func()) (*sums, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := m.newSums(len(origin))
	blocks := (len(indices) + block - 1) / block
	workers := min(blocks, runtime.GOMAXPROCS(0))
	var (
		mu         sync.Mutex
		turn       = sync.NewCond(&mu)
		next, done int
		wg         sync.WaitGroup
	)
	for range workers {
		wg.Go(func() {
			part := m.newSums(len(origin))
			for {
				mu.Lock()
				b := next
				next++
				mu.Unlock()
				if b >= blocks {
					return
				}
				err := part.read(ctx, source, indices[b*block:min(len(indices), (b+1)*block)], origin, each)
				if err != nil {
					cancel(err)
				}
				mu.Lock()
				for done != b {
					turn.Wait()
				}
				total.add(part)
				done++
				turn.Broadcast()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return total, context.Cause(ctx)
}

// take turns sums of differences from the origin into moments.
func (m *Moments) take(s *sums, origin []float32) {
	n := float64(s.n)
	d := len(origin)
	m.Inputs, m.Skipped = s.n, s.skipped
	m.Mean, m.values = make([]float64, d), make([]float64, d)
	shift := make([]float64, d) // mean of the differences
	for i := range d {
		shift[i] = s.first[i] / n
		m.Mean[i] = float64(origin[i]) + shift[i]
		m.values[i] = max(0, s.second[i]/n-shift[i]*shift[i])
	}
	if m.dct != nil {
		c := make([]float64, d)
		m.dct.Coefficients(c, shift)
		m.joint = s.joint
		m.eachPair(func(a, b int, at []float64) {
			plane := len(at)
			for k := range at {
				at[k] = at[k]/n - c[a*plane+k]*c[b*plane+k]
				if a == b {
					at[k] = max(0, at[k])
				}
			}
		})
	}
	if s.joint != nil && m.dct == nil {
		m.covariance = s.joint
		for i := range d {
			for j := range d {
				m.covariance[i*d+j] = m.covariance[i*d+j]/n - shift[i]*shift[j]
			}
		}
	}
}

// channels are those of the shape as the transform takes it, and plane the coordinates of each.
func (m *Moments) channels() (channels, plane int) {
	s := m.dct.Shape()
	return s[0], s[1] * s[2]
}

// eachPair calls f for the planes of joint power that are kept: for pairs of channels a ≤ b, and
// where there are many channels for a = b only.
func (m *Moments) eachPair(f func(a, b int, at []float64)) {
	channels, plane := m.channels()
	at := m.joint
	for a := range channels {
		for b := a; b < channels; b++ {
			if b > a && channels > maxChannels {
				break
			}
			f(a, b, at[:plane])
			at = at[plane:]
		}
	}
}

// finite reports whether all values are numbers.
func finite(x []float32) bool {
	for _, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}
