// Package train is the training loop: it draws batches from a feed, lets an objective compute a
// loss and its gradients, and moves the weights by an optimiser. It writes a log, validates, stops
// early, and leaves checkpoints from which a killed run continues to the same bytes.
//
// What is trained is the objective's business: a base classifier (package train/base), a noise
// parameter generator (package train/generator), or both. Where the batches come from is the feed's
// (package train/data). Package train/fit puts them together, from settings to a bundle.
package train

import (
	"context"

	"ucan/train/optim"
)

// Batch is the input of one step. The loop hands it from the feed to the objective; its slices are
// valid until the objective returns.
type Batch struct {
	// Epoch and Index say which batch it is, both from 0; Step counts batches over the whole run.
	Epoch, Index int
	Step         int64
	// Rows is the number of images N, Draws the number m ≥ 1 of noise draws for each of them.
	Rows, Draws int
	// Clean holds the augmented images without noise, Rows × d, row-major in the source's layout.
	Clean []float32
	// Noise holds λ·ε, raw noise of the family at the run's scale before any (μ, Σ): Rows·Draws ×
	// d. The draws of an image follow one another: row r·Draws + j is draw j of image r. It is nil
	// when the feed was asked for Noisy.
	Noise []float32
	// Noisy holds x + μ + s⊙λε in the order of Noise, for fixed (μ, s); nil when the feed was asked
	// for Noise.
	Noisy []float32
	// Labels are the classes of the images, one for each of the Rows.
	Labels []int64
	// Indices are the images' indices in the whole source.
	Indices []int
}

// Metrics is what a step reports. The loop averages over an epoch.
type Metrics struct {
	// Loss is the value that the gradients belong to.
	Loss float64
	// Noisy is the fraction of noisy copies that were classified right, in [0, 1].
	Noisy float64
	// Extra are further figures of the objective, always the same names in the same order.
	Extra []Figure
}

// Figure is one named number of a step, such as the mean of σ.
type Figure struct {
	// Name is the key in the log: letters, digits and underscores.
	Name string `json:"name"`
	// Value is the figure of this step.
	Value float64 `json:"value"`
	// Over says how the figures of an epoch's steps become one.
	Over Aggregate `json:"over,omitempty"`
}

// Aggregate joins the figures of several steps.
type Aggregate int

// The aggregates.
const (
	Mean Aggregate = iota
	Minimum
	Maximum
)

// State is a tensor that steps change without gradients, such as the running average of a
// normalisation's statistics. Checkpoints keep it, and the moving average of weights covers it.
type State struct {
	// Name tells it from the other states and parameters of a run.
	Name string
	// Values is the memory that the objective reads and writes.
	Values []float32
}

// Objective is what is trained: it owns the weights and computes losses and gradients.
type Objective interface {
	// Parameters returns what the optimiser moves: the same memory at every call, for the life of
	// the objective.
	Parameters() []optim.Parameter
	// State returns what else a checkpoint must keep to go on exactly; nil for nothing.
	State() []State
	// Step computes the loss at b and fills the Grad of every parameter. Values may have changed
	// since the last call. It must be a function of values, state and batch alone, bit for bit.
	Step(ctx context.Context, b *Batch) (Metrics, error)
}

// Validator is an objective (or something beside it) that can measure its present weights on
// held-out data.
type Validator interface {
	// Validate measures the present values; it changes nothing that training depends on.
	Validate(ctx context.Context) (Validation, error)
}

// Validation is how good weights are on held-out inputs. Its numbers are finite.
type Validation struct {
	// Score is what early stopping maximises, for instance the average certified radius.
	Score float64 `json:"score"`
	// Clean and Noisy are accuracies without noise and over single noisy copies, in [0, 1].
	Clean float64 `json:"clean_accuracy"`
	Noisy float64 `json:"noisy_accuracy"`
	// Curve is certified accuracy at a few radii, an estimate from few samples.
	Curve []CertifiedAt `json:"curve,omitempty"`
	// Extra are further figures for the log.
	Extra []Figure `json:"extra,omitempty"`
}

// CertifiedAt is one point of a certified-accuracy curve.
type CertifiedAt struct {
	Radius   float64 `json:"radius"`
	Accuracy float64 `json:"accuracy"`
}

// Feed gives batches. Every batch is a function of its epoch and index and of how the feed was
// made, whatever was asked for before, so that a resumed run sees the same.
type Feed interface {
	// Batches is the number of batches of an epoch, ≥ 1.
	Batches() int
	// Batch returns batch index of an epoch. It is valid until the next call, which may already be
	// under way for the batch that follows.
	Batch(ctx context.Context, epoch, index int) (*Batch, error)
}
