package smooth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"ucan/smooth/lattice"
	"ucan/smooth/stream"
)

// Config fixes what a Smoother's votes depend on.
type Config struct {
	// Dim is d, the number of input coordinates, at least 1.
	Dim int
	// Classes is the number of classes; labels are 0 … Classes−1. At least 1.
	Classes int
	// Seed keys every noise stream. A published seed lets an adversary search for
	// inputs with lucky noise: draw a fresh one for each run.
	Seed uint64
}

// Smoother draws votes of a smoothed classifier with one goroutine for each
// classifier.
//
// The noise of a sample is a function of (seed, input id, phase, sample index)
// alone, so counts depend neither on the number of classifiers nor on their
// batch. Methods may be called from several goroutines; they run one after the
// other, since they share the classifiers' buffers.
type Smoother struct {
	cfg     Config
	workers []*worker
	turn    chan struct{} // holds one token: who has it may use the workers
	drawn   atomic.Int64  // samples classified so far
}

// Drawn returns how many samples all calls have classified so far, the one under way included. It
// is for showing progress.
func (s *Smoother) Drawn() int64 { return s.drawn.Load() }

// New returns a Smoother over the given classifiers, which it uses but does not
// own: closing them, after the last call, is the caller's. Every classifier must
// be the same function; batches may differ.
func New(classifiers []Classifier, cfg Config) (*Smoother, error) {
	switch {
	case len(classifiers) == 0:
		return nil, errors.New("smooth: no classifier; give one for each worker")
	case cfg.Dim < 1:
		return nil, fmt.Errorf("smooth: dimension %d; it must be at least 1", cfg.Dim)
	case cfg.Classes < 1 || cfg.Classes > math.MaxInt32:
		return nil, fmt.Errorf("smooth: %d classes; the number must be at least 1 and fit an int32", cfg.Classes)
	}
	s := &Smoother{cfg: cfg, turn: make(chan struct{}, 1)}
	for i, c := range classifiers {
		input := c.Input()
		if len(input) < cfg.Dim || len(input)%cfg.Dim != 0 {
			return nil, fmt.Errorf("smooth: input buffer of classifier %d holds %d values; it must be a positive multiple of the dimension %d", i, len(input), cfg.Dim)
		}
		s.workers = append(s.workers, &worker{
			classifier: c, input: input, dim: cfg.Dim, batch: len(input) / cfg.Dim,
			unsure: make([]bool, len(input)/cfg.Dim), drawn: &s.drawn,
		})
	}
	s.turn <- struct{}{}
	return s, nil
}

// InputID returns the id that keys the noise of input x: the SHA-256 of its
// float32 values in little-endian order.
func InputID(x []float32) [32]byte {
	h := sha256.New()
	var buf [4096]byte
	for len(x) > 0 {
		n := min(len(x), len(buf)/4)
		for i, v := range x[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf[:4*n]) // a hash never returns an error
		x = x[n:]
	}
	return [32]byte(h.Sum(nil))
}

// Sample draws the samples from ≤ index < to of one phase for input x and counts
// their votes: the primitive of Predict and Certify, and what adaptive methods,
// audits and re-sampling build on. Consecutive ranges of one phase are
// consecutive samples; equal ranges are equal samples.
//
// id keys the noise and should be InputID(x). An error of a classifier, or the
// end of ctx, stops all workers, is returned once they have stopped, and leaves
// no counts.
func (s *Smoother) Sample(ctx context.Context, x []float32, id [32]byte, noise *SealedNoise, phase stream.Phase, from, to uint64) (Counts, error) {
	if from > to {
		return Counts{}, fmt.Errorf("smooth: sample range [%d, %d) is reversed", from, to)
	}
	parts := [1]part{{phase: phase, from: from, to: to}}
	if err := s.run(ctx, x, id, noise, parts[:]); err != nil {
		return Counts{}, err
	}
	return parts[0].counts, nil
}

// quantum is the number of rows that all workers classify at once: work in
// multiples of it leaves no worker idle and no row padded.
func (s *Smoother) quantum() int {
	rows := 0
	for _, w := range s.workers {
		rows += w.batch
	}
	return rows
}

// part is a range of sample indices of one phase, and its votes once drawn.
type part struct {
	phase    stream.Phase
	from, to uint64
	labels   []int32 // when not nil, label of sample from+i goes to labels[i]
	key      stream.Key
	counts   Counts
}

// run draws all parts, packed into the same batches.
func (s *Smoother) run(ctx context.Context, x []float32, id [32]byte, noise *SealedNoise, parts []part) error {
	base, err := s.base(x, noise)
	if err != nil {
		return err
	}
	var pixels []uint8
	if noise.lattice != nil {
		if pixels, err = lattice.Pixels(x); err != nil {
			return fmt.Errorf("smooth: %w", err)
		}
	}
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("smooth: sampling: %w", context.Cause(ctx))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j := &job{noise: noise, base: base, pixels: pixels, parts: parts, cancel: cancel}
	for i := range parts {
		parts[i].key = stream.New(s.cfg.Seed, id, parts[i].phase)
		parts[i].counts = newCounts(s.cfg.Classes)
		j.rows += parts[i].to - parts[i].from
	}
	var wg sync.WaitGroup
	for _, w := range s.workers {
		wg.Go(func() { w.work(ctx, j) })
	}
	wg.Wait()
	if j.err != nil {
		return fmt.Errorf("smooth: sampling: %w", j.err)
	}
	// Workers saw no error, but may have stopped because the caller's ctx ended.
	if done := j.done(); done != j.rows {
		return fmt.Errorf("smooth: sampling stopped after %d of %d samples: %w", done, j.rows, context.Cause(ctx))
	}
	return nil
}

// base returns x + μ, checked.
func (s *Smoother) base(x []float32, noise *SealedNoise) ([]float32, error) {
	if noise == nil {
		return nil, errors.New("smooth: no noise; make it with Noise.Seal")
	}
	if len(x) != s.cfg.Dim || noise.dim != s.cfg.Dim {
		return nil, fmt.Errorf("smooth: input of %d values and noise of %d for a classifier of %d", len(x), noise.dim, s.cfg.Dim)
	}
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("smooth: input is %v at coordinate %d; every value must be finite", v, i)
		}
	}
	if noise.noise.mu == nil {
		return x, nil
	}
	base := slices.Clone(x)
	noise.noise.AddMu(base)
	return base, nil
}
