package generator

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"ucan/npg/net"
	"ucan/runtime/onnx"
)

// Volume holds the weight of each volume term, in units of nats of cross-entropy. A negative weight
// punishes volume.
type Volume struct {
	// Min weighs min s, Mean the mean of s, LogMean the mean of log s, Area the estimate of the ALM
	// radius.
	Min, Mean, LogMean, Area float64
}

// Loss configures what a step minimises. Begin with [DefaultLoss].
type Loss struct {
	// Volume rewards noise.
	Volume Volume
	// Reg ≥ 0 weighs ‖Σ‖.
	Reg float64
	// Smoothing in [0, 1) is the fraction of the label's mass that is spread evenly over all
	// classes.
	Smoothing float64
	// Consistency ≥ 0 weighs KL(p̄_n ‖ p_nj), the divergence of each draw's prediction from the
	// mean prediction of its image (Jeong and Shin, NeurIPS 2020). It needs two draws or more.
	Consistency float64
}

// DefaultLoss is cross-entropy and the mean of log s with weight 1/2.
func DefaultLoss() Loss { return Loss{Volume: Volume{LogMean: 0.5}} }

// Config describes an objective.
type Config struct {
	// Generator is the graph that is trained: input "x" float [N, shape…], outputs "sigma" and,
	// optionally, "mu", each [N, shape…] or [1, shape…].
	Generator *onnx.Model
	// Weights names the initialisers of Generator that are trained, with Decay for those that
	// weight decay applies to.
	Weights []Weight
	// Base is the classifier.
	Base Base
	// MuScale is c in μ = c·mu, the graph's output; it is not used where the graph has none.
	MuScale float64
	// Shape is that of one input.
	Shape []int
	// Basis is that of the scale field; DCT needs [C, H, W].
	Basis net.Basis
	// Rows is N and Draws is m, fixed for all steps.
	Rows, Draws int
	// Loss is what is minimised.
	Loss Loss
	// Threads is that of the session, ≥ 1. It may change last bits.
	Threads int
	// Mode is how changing weights reach the runtime, as package autodiff understands it: "inputs",
	// "constants" or "measure". It changes last bits: a resumed run needs what [Objective.Mode]
	// returned.
	Mode string
}

// Weight names a trained initialiser.
type Weight struct {
	Name string
	// Decay says whether weight decay applies.
	Decay bool
	// Rate multiplies the learning rate, > 0.
	Rate float64
}

// Base is a classifier that noise is learned for.
type Base struct {
	// Graph has one float32 input [N, shape…] and the output that Scores names.
	Graph *onnx.Model
	// Input and Scores name the input and the output [N, K] that holds a score for every class.
	Input, Scores string
	// Head says what the scores are.
	Head Head
	// Weights names the initialisers that are trained jointly; none freezes the classifier.
	Weights []Weight
}

// Head is how a class follows from the scores.
type Head string

// The heads. Where the graph ends in Softmax or Sigmoid, the logits before it are used.
const (
	// Logits: the largest wins.
	Logits Head = "logits"
	// Negative: the smallest wins.
	Negative Head = "negative"
	// Probabilities: the largest wins, and the logits are not in the graph.
	Probabilities Head = "probabilities"
	// Binary: one value, above the threshold class 1, below class 0.
	Binary Head = "binary"
)

// Validate reports every fault in one line.
func (c Config) Validate() error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if c.Generator == nil || c.Base.Graph == nil {
		fault("a generator and a base classifier are needed")
	}
	if len(c.Weights) == 0 {
		fault("the generator has no weight to train")
	}
	if c.Rows < 1 || c.Draws < 1 || c.Threads < 1 {
		fault("%d inputs, %d draws and %d threads a step; each must be at least 1", c.Rows, c.Draws, c.Threads)
	}
	if c.Basis == net.DCT && len(c.Shape) != 3 {
		fault("inputs of shape %v have no cosine basis; it is for images [C, H, W]", c.Shape)
	}
	l := c.Loss
	for _, v := range []float64{l.Volume.Min, l.Volume.Mean, l.Volume.LogMean, l.Volume.Area, l.Reg, l.Smoothing, l.Consistency} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			fault("a weight of the loss is %v; give a finite number", v)
			break
		}
	}
	if l.Reg < 0 || l.Consistency < 0 {
		fault("regularisation %v and consistency %v must not be negative", l.Reg, l.Consistency)
	}
	if l.Smoothing < 0 || l.Smoothing >= 1 {
		fault("label smoothing %v is out of range: give a fraction from 0 to below 1", l.Smoothing)
	}
	if l.Consistency > 0 && c.Draws < 2 {
		fault("the consistency term compares draws; give 2 draws or more")
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New("train a generator: " + strings.Join(faults, "; "))
}
