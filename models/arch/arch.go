// Package arch makes the built-in base classifiers as ONNX graphs: once for
// training and once, trained, for the world.
package arch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ucan/runtime/onnx"
)

// Names of the graphs' input and output.
const (
	// Images is the input: float32 [N, C, H, W] in the input space, usually
	// [0, 1]. Noise is added to it; normalisation happens behind it.
	Images = "images"
	// Logits is the first output: float32 [N, classes].
	Logits = "logits"
)

// Config configures a network.
type Config struct {
	// Name is one of [Names].
	Name string
	// Input holds channels, height and width, each ≥ 1, or for mlp the columns of a table, each of
	// which is a channel.
	Input []int
	// Classes is the number of classes, ≥ 2.
	Classes int
	// Mean and Std normalise the input inside the graph, (x − Mean)/Std, one
	// value per channel; both empty for none. Std is > 0.
	Mean, Std []float64
	// Seed makes the initial weights: the same seed, the same bytes.
	Seed uint64
}

// Validate reports all faults of the configuration at once; whether the
// network takes inputs of such a size is for [New] to say.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains(Names(), c.Name) {
		errs = append(errs, fmt.Errorf("arch: no network is called %q; there are %s", c.Name, strings.Join(Names(), ", ")))
	}
	table := c.Name == "mlp" && len(c.Input) == 1
	if len(c.Input) != 3 && !table || slices.Min(append([]int{1}, c.Input...)) < 1 {
		errs = append(errs, fmt.Errorf("arch: an input of dimensions %v; give channels, height and width, each at least 1 (mlp takes the rows of tables too)", c.Input))
	} else if len(c.Mean) != len(c.Std) || len(c.Mean) != 0 && len(c.Mean) != c.Input[0] {
		errs = append(errs, fmt.Errorf("arch: %d means and %d standard deviations for %d channels; give one of each per channel, or none", len(c.Mean), len(c.Std), c.Input[0]))
	}
	if c.Classes < 2 {
		errs = append(errs, fmt.Errorf("arch: %d classes; a classifier has at least 2", c.Classes))
	}
	for i := range c.Mean {
		if math.IsNaN(c.Mean[i]) || math.IsInf(c.Mean[i], 0) {
			errs = append(errs, fmt.Errorf("arch: mean %v of channel %d is not finite", c.Mean[i], i))
		}
	}
	for i, s := range c.Std {
		if !(float32(s) > 0) || math.IsInf(s, 0) {
			errs = append(errs, fmt.Errorf("arch: standard deviation %v of channel %d is not a positive number", s, i))
		}
	}
	return errors.Join(errs...)
}

// Weight is a trainable parameter: an initialiser of the training graph.
type Weight struct {
	// Name is that of the initialiser.
	Name string
	// Shape are its dimensions.
	Shape []int64
	// Values are the initial values, row-major.
	Values []float32
	// Decay says whether weight decay is customary for it: for matrices and
	// kernels, not for biases, scales of normalisations, and positions.
	Decay bool
}

// Statistic is one BatchNormalization's: what the training graph returns of
// each batch, and the average over batches that [Network.Export] needs.
type Statistic struct {
	// Name identifies the layer.
	Name string
	// Mean and Variance name the outputs of the training graph that hold the
	// batch's mean and its biased variance, float32 [channels].
	Mean, Variance string
	// Channels is their length.
	Channels int
	// Positions is the number of values per image and channel, so that a batch
	// of n images has n·Positions samples.
	Positions int
}

// Running are the running averages of every [Statistic] by the names of its
// outputs, Mean and Variance.
type Running map[string][]float32

// Network is a built-in architecture with its initial weights. It does not
// change; trained weights are the caller's.
type Network struct {
	make     func(g *graph) (*onnx.Model, error)
	name     string
	training *onnx.Model
	weights  []Weight
	stats    []Statistic
}

// Training returns the graph to train: input [Images], first output [Logits],
// then mean and variance of every [Statistic]. Its initialisers named by
// Weights hold the initial weights. The loss is the caller's to append
// (autodiff.CrossEntropy does). N is symbolic.
func (n *Network) Training() *onnx.Model { return n.training }

// Weights returns the trainable parameters in the order of the graph, as fresh
// copies.
func (n *Network) Weights() []Weight {
	out := slices.Clone(n.weights)
	for i := range out {
		out[i].Shape = slices.Clone(out[i].Shape)
		out[i].Values = slices.Clone(out[i].Values)
	}
	return out
}

// Statistics returns the layers whose running averages the trainer keeps; none
// for networks without BatchNormalization.
func (n *Network) Statistics() []Statistic { return slices.Clone(n.stats) }
