// Package plan prices a zoo's run before anything runs: forward passes, time, disk, and what is
// done already. It also simulates the run on many workers that fail.
//
// Passes are exact at a fixed number of samples. Under an adaptive profile they are expected
// values: a pilot draws a few samples (phase pilot, which no certificate uses) of a few inputs, and
// the sequential test's cost at the estimated probabilities is computed without simulation. Times
// come from timing the pilot's own sampling, with noise and decision as in a certification.
package plan

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"ucan/internal/zoo/matrix"
	"ucan/runtime"
)

// Done tells what of a run has been certified already; a store implements it.
type Done interface {
	// DoneInputs is the number of inputs of a cell of the run that have their certificates; 0 for a
	// run that the store does not know.
	DoneInputs(ctx context.Context, run string, c *matrix.Cell) (int, error)
}

type Price struct {
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
	Noise   string `json:"noise"`
	// Inputs of the cell, Done of them with certificates, in Shards shards.
	Inputs int `json:"inputs"`
	Done   int `json:"done"`
	Shards int `json:"shards"`
	// FixedPasses is the number of forward passes at n0 + n samples an input, under a profile the
	// most.
	FixedPasses float64 `json:"fixed_passes"`
	// Passes is FixedPasses, or what the pilot predicts under a profile.
	Passes float64 `json:"passes"`
	// Pilot is the number of inputs that the prediction rests on.
	Pilot int `json:"pilot_inputs,omitempty"`
	// SecondsPerPass is that of one session on this machine; 0 where it was not measured.
	SecondsPerPass float64 `json:"seconds_per_pass"`
	// Setup is the time to open model and data.
	Setup float64 `json:"setup_seconds"`
	// Seconds is the time of what is left to do on one worker.
	Seconds float64 `json:"seconds"`
	// Bytes of the finished cell in the store and in the exported files.
	Bytes int64 `json:"bytes"`
	// Unmeasured is why there are no times, "" when there are.
	Unmeasured string `json:"unmeasured,omitempty"`

	// perInput are the passes expected for each input of the pilot.
	perInput []float64
}

// Left is the share of the cell's inputs that is still to do.
func (p *Price) Left() float64 { return float64(p.Inputs-p.Done) / float64(max(p.Inputs, 1)) }

type Plan struct {
	Run    string  `json:"run"`
	Seed   uint64  `json:"seed"`
	Prices []Price `json:"cells"`
	// Refusals do not run, with the reasons.
	Refusals []matrix.Refusal `json:"refusals"`
	// Totals over all cells.
	Inputs      int64   `json:"inputs"`
	Done        int64   `json:"done"`
	Shards      int64   `json:"shards"`
	FixedPasses float64 `json:"fixed_passes"`
	Passes      float64 `json:"passes"`
	Seconds     float64 `json:"seconds_one_worker"`
	Setup       float64 `json:"setup_seconds"`
	Bytes       int64   `json:"bytes"`
	// Unmeasured is the number of cells without times; Seconds leaves them out.
	Unmeasured int `json:"unmeasured,omitempty"`
	// Here is for this machine with all its processors, On for the workers asked for.
	Here Estimate  `json:"here"`
	On   *Estimate `json:"on,omitempty"`

	shardSize int
}

type Estimate struct {
	Workers int `json:"workers"`
	// Seconds is the wall-clock time: the work evenly spread, the setup of every pair on every
	// worker, and half of the longest shard. Each worker is taken to have a processor.
	Seconds float64 `json:"seconds"`
}

// sum fills in the totals.
func (p *Plan) sum(run *matrix.Run, workers int) {
	pairs := map[string]float64{}
	longest, threads := 0.0, 1
	for i := range p.Prices {
		c := &p.Prices[i]
		p.Inputs += int64(c.Inputs)
		p.Done += int64(c.Done)
		p.Shards += int64(c.Shards)
		p.FixedPasses += c.FixedPasses
		p.Passes += c.Passes
		p.Seconds += c.Seconds
		p.Bytes += c.Bytes
		if c.Unmeasured != "" {
			p.Unmeasured++
		}
		if c.Done < c.Inputs {
			pairs[c.Model+"\x00"+c.Dataset] = c.Setup
			longest = math.Max(longest, c.Passes/float64(max(c.Inputs, 1))*float64(min(run.ShardSize, c.Inputs))*c.SecondsPerPass)
		}
		if m, ok := run.Model(c.Model); ok {
			threads = max(threads, m.Runtime.Threads)
		}
	}
	for _, setup := range pairs {
		p.Setup += setup
	}
	estimate := func(k int) Estimate {
		e := Estimate{Workers: k}
		if p.Seconds > 0 {
			e.Seconds = p.Seconds/float64(k) + p.Setup + longest/2
		}
		return e
	}
	p.Here = estimate(max(1, runtime.CPUCount()/threads))
	if workers > 0 {
		e := estimate(workers)
		p.On = &e
	}
}

// ShardSeconds draws the time of every shard that is left, cells in their order. A seed gives the
// same times.
func (p *Plan) ShardSeconds(seed uint64) func(yield func(float64) bool) {
	return func(yield func(float64) bool) {
		rng := newRand(seed)
		for i := range p.Prices {
			c := &p.Prices[i]
			left := c.Inputs - c.Done
			for left > 0 {
				n := min(left, p.shardSize)
				left -= n
				if !yield(c.draw(n, rng)) {
					return
				}
			}
		}
	}
}

// draw is the time of a shard of n inputs: each takes the passes of a pilot input at random.
func (c *Price) draw(n int, rng *rand.Rand) float64 {
	if len(c.perInput) == 0 {
		return float64(n) * c.Passes / float64(max(c.Inputs, 1)) * c.SecondsPerPass
	}
	passes := 0.0
	for range n {
		passes += c.perInput[rng.IntN(len(c.perInput))]
	}
	return passes * c.SecondsPerPass
}

func fixedPasses(s matrix.Statistics, inputs int) float64 {
	return float64(inputs) * (float64(s.N0) + float64(s.N))
}

// Seconds writes a time for people.
func Seconds(s float64) string {
	switch {
	case s == 0:
		return "0 s"
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case s < 600:
		return fmt.Sprintf("%.1f s", s)
	case s < 3*3600:
		return fmt.Sprintf("%.0f min", s/60)
	case s < 72*3600:
		return fmt.Sprintf("%.1f h", s/3600)
	default:
		return fmt.Sprintf("%.1f days", s/86400)
	}
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}

func byName(a, b Price) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Noise, b.Noise))
}
