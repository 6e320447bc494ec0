// Package overhead measures what certification costs beyond the bare model: the time of fixed-n
// certification relative to the bare sessions' time for the same number of samples, interleaved in
// one process, since machines are noisy and only ratios of neighbours can be trusted.
package overhead

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ucan/smooth"
	"ucan/smooth/stream"
)

// Config configures a measurement.
type Config struct {
	// Classifiers are the sessions, one for each worker, all of the same batch.
	Classifiers []smooth.Classifier
	// Dim and Classes are the model's.
	Dim, Classes int
	// Noise is the noise of the certification, sealed for Dim.
	Noise *smooth.SealedNoise
	// Statistics give the number of samples of a certification.
	Statistics smooth.FixedN
	// Rounds is the number of pairs that are measured, at least 1.
	Rounds int
	// Input is the certified input, of Dim values.
	Input []float32
}

// Result is what the rounds gave.
type Result struct {
	// Samples is the number of samples of one round of either kind.
	Samples int64 `json:"samples"`
	// Bare and Certified are the medians of the rounds' times.
	Bare      time.Duration `json:"bare_ns"`
	Certified time.Duration `json:"certified_ns"`
	// Ratio is the median of Certified/Bare over neighbouring rounds, Ratios all of them.
	Ratio  float64   `json:"ratio"`
	Ratios []float64 `json:"ratios"`
	// NoiseNanoseconds is the time to make one value of a noisy input on one core: drawing,
	// transforming where the noise is made in a basis, scaling and adding.
	NoiseNanoseconds float64 `json:"noise_ns_per_value"`
}

func (c Config) validate() error {
	switch {
	case len(c.Classifiers) == 0:
		return errors.New("bench: no classifier")
	case c.Dim < 1 || len(c.Input) != c.Dim:
		return fmt.Errorf("bench: an input of %d values for a model of %d", len(c.Input), c.Dim)
	case c.Rounds < 1:
		return fmt.Errorf("bench: %d rounds; measure at least 1", c.Rounds)
	}
	return c.Statistics.Validate()
}

// Overhead runs bare sessions and certification in turn, after a warm-up of each.
func Overhead(ctx context.Context, c Config) (Result, error) {
	if err := c.validate(); err != nil {
		return Result{}, err
	}
	smoother, err := smooth.New(c.Classifiers, smooth.Config{Dim: c.Dim, Classes: c.Classes, Seed: 1})
	if err != nil {
		return Result{}, err
	}
	result := Result{Samples: c.Statistics.N0 + c.Statistics.N}
	id := smooth.InputID(c.Input)
	certify := func() error {
		_, certifyErr := smoother.Certify(ctx, c.Input, id, c.Noise, c.Statistics)
		return certifyErr
	}
	bare := func() error { return c.bare(ctx, result.Samples) }
	var bares, certified []time.Duration
	for round := range c.Rounds + 1 {
		// The order alternates, so that a drift of the machine favours neither.
		steps := []func() error{bare, certify}
		took := make([]time.Duration, 2)
		for i := range steps {
			which := (i + round) % 2
			begin := time.Now()
			if stepErr := steps[which](); stepErr != nil {
				return Result{}, fmt.Errorf("bench: %w", stepErr)
			}
			took[which] = time.Since(begin)
		}
		if round == 0 {
			continue // the warm-up
		}
		bares, certified = append(bares, took[0]), append(certified, took[1])
		result.Ratios = append(result.Ratios, took[1].Seconds()/took[0].Seconds())
	}
	result.Bare, result.Certified, result.Ratio = median(bares), median(certified), median(result.Ratios)
	result.NoiseNanoseconds, err = NoiseTime(ctx, c.Noise, c.Input)
	return result, err
}

// bare classifies as many rows as a certification, with all workers, without touching the inputs.
func (c Config) bare(ctx context.Context, samples int64) error {
	var (
		left  atomic.Int64
		group sync.WaitGroup
		errs  = make([]error, len(c.Classifiers))
	)
	left.Store(samples)
	for w, classifier := range c.Classifiers {
		batch := int64(len(classifier.Input()) / c.Dim)
		group.Go(func() {
			for {
				rest := left.Add(-batch) + batch
				if rest <= 0 {
					return
				}
				if _, errs[w] = classifier.Classify(ctx, int(min(rest, batch))); errs[w] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// NoiseTime measures the nanoseconds that one value of a noisy input takes on one core: drawing the
// noise, bringing it to the coordinates of the input where it is made in a basis, scaling it and
// adding it.
func NoiseTime(ctx context.Context, noise *smooth.SealedNoise, input []float32) (float64, error) {
	dim := len(input)
	const batch = 8
	idle := &idleClassifier{input: make([]float32, batch*dim), labels: make([]int32, batch)}
	smoother, err := smooth.New([]smooth.Classifier{idle}, smooth.Config{Dim: dim, Classes: 1, Seed: 1})
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	id := smooth.InputID(input)
	var times []float64
	for round := range 15 {
		draws := uint64((1 + 200_000/dim + batch - 1) / batch * batch)
		first := uint64(round) * draws
		begin := time.Now()
		if _, err := smoother.Sample(ctx, input, id, noise, stream.Audit, first, first+draws); err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		times = append(times, float64(time.Since(begin).Nanoseconds())/float64(draws*uint64(dim)))
	}
	return median(times), nil
}

// idleClassifier decides without looking, so that nothing but the noise takes time.
type idleClassifier struct {
	input  []float32
	labels []int32
}

func (c *idleClassifier) Input() []float32 { return c.input }

func (c *idleClassifier) Classify(_ context.Context, rows int) ([]int32, error) {
	return c.labels[:rows], nil
}

func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
