// Package denoiser is the objective that trains a denoiser D in front of frozen classifiers
// (Salman, Sun, Yang, Kapoor, Kolter: "Denoised smoothing", 2020).
//
// Let x be an input, y its noisy copies, f the classifier that D is for, and F_k the softmax of the
// K classifiers that gradients flow through: f itself, or others in its place. A stage minimises
// the mean over inputs and copies of one of
//
//	mse             the mean over coordinates i of ((D(y)_i − x_i)/p_i)²
//	stability       the mean over k of −log F_k(D(y))[f(x)]
//	classification  the mean over k of −log F_k(D(y))[label]
//
// p are the standard deviations of the data by channel. Only the last needs labels. The classifiers
// stay what they are; gradients pass through them to D.
package denoiser

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/models/arch"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/smooth"
	"ucan/train/generator"
)

// The objectives.
const (
	MSE            = "mse"
	Stability      = "stability"
	Classification = "classification"
)

// Objectives returns their names.
func Objectives() []string { return []string{MSE, Stability, Classification} }

// Stage is a part of a training.
type Stage struct {
	// Objective is one of [Objectives].
	Objective string
	// Epochs is how long it goes on, ≥ 1.
	Epochs int
}

// Config describes an objective.
type Config struct {
	// Net is the denoiser (package models/arch/denoise).
	Net *arch.Network
	// Shape is that of one input.
	Shape []int
	// Signal is p, one value a channel, > 0; nil for ones.
	Signal []float64
	// Classifiers are those that gradients flow through; mse needs none.
	Classifiers []generator.Base
	// Labeler is f, which makes the labels of stability, by any batch. The caller closes it. Others
	// need none.
	Labeler smooth.Classifier
	// Stages follow one another, each from the weights of the one before; the last goes on for as
	// long as it is asked to.
	Stages []Stage
	// Rows is the number of inputs of a step, Draws that of noisy copies of each, ≥ 1.
	Rows, Draws int
	// Levels, where its values differ, scales the noise of every copy by a factor drawn evenly
	// between them, 0 < Levels[0] ≤ Levels[1]; Seed keys the draws.
	Levels [2]float64
	Seed   uint64
	// Momentum is that of the running averages of batch statistics, in (0, 1]; 0.1 is usual.
	Momentum float64
	// Mode is how weights reach the runtime. It can change bits: give a resumed run what
	// [Objective.Mode] returned.
	Mode autodiff.WeightMode
	// Session says on which provider and how many threads steps run. Threads can change bits.
	Session runtime.SessionOptions
}

// Validate reports every fault.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Net != nil, "there is no denoiser")
	check(c.Rows >= 1 && c.Draws >= 1, "steps of %d inputs with %d draws; both must be 1 or more", c.Rows, c.Draws)
	check(c.Momentum > 0 && c.Momentum <= 1, "momentum %v of the batch statistics; it must lie in (0, 1]", c.Momentum)
	check(len(c.Stages) > 0, "there is no stage")
	for _, s := range c.Stages {
		check(slices.Contains(Objectives(), s.Objective), "no objective is called %q; there are %v", s.Objective, Objectives())
		check(s.Epochs >= 1, "a stage of %d epochs; give 1 or more", s.Epochs)
		check(s.Objective == MSE || len(c.Classifiers) > 0, "%s needs a classifier", s.Objective)
		check(s.Objective != Stability || c.Labeler != nil, "stability needs the classifier's labels")
	}
	lo, hi := c.Levels[0], c.Levels[1]
	check(lo == hi || lo > 0 && lo < hi && !math.IsInf(hi, 0), "levels of noise from %v to %v; they must be positive and rise", lo, hi)
	check(len(c.Signal) == 0 || len(c.Signal) == c.Shape[0], "%d standard deviations for %d channels", len(c.Signal), c.Shape[0])
	if len(errs) > 0 {
		return fmt.Errorf("train a denoiser: %w", errors.Join(errs...))
	}
	return nil
}

// Epochs is that of all stages.
func (c Config) Epochs() int {
	n := 0
	for _, s := range c.Stages {
		n += s.Epochs
	}
	return n
}

// objectiveAt is the objective of an epoch, from 0.
func (c Config) objectiveAt(epoch int) string {
	for _, s := range c.Stages {
		if epoch < s.Epochs {
			return s.Objective
		}
		epoch -= s.Epochs
	}
	return c.Stages[len(c.Stages)-1].Objective
}
