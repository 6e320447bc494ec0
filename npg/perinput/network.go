package perinput

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// Base is the graph of a base classifier.
type Base struct {
	// Graph is a classifier with Input float [N, shape…] and Output float [N, K], K ≥ 2; N
	// symbolic, or fixed at Batch.
	Graph         *onnx.Model
	Input, Output string
	// Softmax says that the scores are logits; otherwise they are probabilities already.
	Softmax bool
	// Batch is the number of rows of one run, ≥ 1.
	Batch int
	// Session are the options of the two sessions.
	Session runtime.SessionOptions
}

// Network is a [Classifier] that onnxruntime runs: one session for scores, one for their gradients.
// It is not safe for concurrent use.
type Network struct {
	base     Base
	dim      int
	forward  *runtime.FloatSession
	gradient *autodiff.Executor
	linear   autodiff.Linear
	weights  string // the input of the linear loss
	classes  int

	probabilities, rows []float32
}

var _ Classifier = (*Network)(nil)

// OpenNetwork differentiates and opens a base classifier. Errors match
// [autodiff.ErrNotDifferentiable] where an operator has no gradient.
func OpenNetwork(ctx context.Context, rt *runtime.Runtime, b Base) (_ *Network, err error) {
	if b.Batch < 1 {
		return nil, fmt.Errorf("perinput: a batch of %d rows; at least 1", b.Batch)
	}
	in, ok := b.Graph.Input(b.Input)
	if !ok || len(in.Shape) < 2 {
		return nil, fmt.Errorf("perinput: the model has no input %q that takes rows", b.Input)
	}
	shape, dim := []int64{int64(b.Batch)}, 1
	for _, s := range in.Shape[1:] {
		if !s.IsFixed() {
			return nil, fmt.Errorf("perinput: the size of %v is open", in)
		}
		shape, dim = append(shape, s.Size), dim*int(s.Size)
	}
	sizes := map[string]int64{}
	if !in.Shape[0].IsFixed() {
		sizes[in.Shape[0].Symbol] = int64(b.Batch)
	}
	n := &Network{base: b, dim: dim, linear: autodiff.DefaultLinear()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	n.gradient, err = autodiff.NewExecutor(ctx, rt, b.Graph, autodiff.ExecutorOptions{
		Options: autodiff.Options{
			Wrt: []string{b.Input}, Losses: []autodiff.Loss{n.linear}, Output: b.Output, Sizes: sizes, CPU: onCPU(b.Session),
		},
		Mode: autodiff.WeightsAsConstants, Session: b.Session,
	})
	if err != nil {
		return nil, fmt.Errorf("perinput: %w", err)
	}
	n.weights = n.gradient.Gradient().Input(n.linear.Name(), n.linear.Weights)
	n.classes = len(n.gradient.Floats(n.weights)) / b.Batch
	if n.classes < 2 || len(n.gradient.Floats(b.Input)) != b.Batch*dim {
		return nil, fmt.Errorf("perinput: the model gives %d scores a row; it takes at least 2", n.classes)
	}
	return n, n.openForward(ctx, rt, shape)
}

// onCPU says whether the sessions run on the CPU alone.
func onCPU(o runtime.SessionOptions) bool {
	return len(o.Providers) == 0 || len(o.Providers) == 1 && o.Providers[0].Name == "cpu"
}

func (n *Network) openForward(ctx context.Context, rt *runtime.Runtime, shape []int64) error {
	bytes, err := n.base.Graph.Marshal()
	if err != nil {
		return fmt.Errorf("perinput: %w", err)
	}
	options := n.base.Session
	options.Outputs = []string{n.base.Output}
	n.forward, err = rt.NewFloatSession(ctx, bytes, options, func(_ runtime.IO, output bool) ([]int64, error) {
		if output {
			return []int64{int64(n.base.Batch), int64(n.classes)}, nil
		}
		return shape, nil
	})
	if err != nil {
		return fmt.Errorf("perinput: %w", err)
	}
	return nil
}

// Probabilities implements [Classifier].
func (n *Network) Probabilities(ctx context.Context, x []float32) ([]float32, error) {
	count, err := n.count(x)
	if err != nil {
		return nil, err
	}
	n.probabilities = resize(n.probabilities, count*n.classes)
	for from := 0; from < count; from += n.base.Batch {
		fill(n.forward.In[0], x[from*n.dim:])
		if err := n.forward.Run(ctx); err != nil {
			return nil, err
		}
		copy(n.probabilities[from*n.classes:], n.forward.Out[0])
	}
	if n.base.Softmax {
		for r := range count {
			softmax(n.probabilities[r*n.classes : (r+1)*n.classes])
		}
	}
	return n.probabilities, nil
}

// Gradient implements [Classifier]. For logits it asks for the gradient of Σ v_k z_k with v_k =
// p_k(w_k − Σ_j w_j p_j), which is that of Σ w_k p_k.
func (n *Network) Gradient(ctx context.Context, x, p, weights []float32) ([]float32, error) {
	count, err := n.count(x)
	if err != nil {
		return nil, err
	}
	if len(weights) != count*n.classes || len(p) != len(weights) {
		return nil, fmt.Errorf("perinput: %d weights and %d probabilities for %d rows of %d classes", len(weights), len(p), count, n.classes)
	}
	pulled := weights
	if n.base.Softmax {
		pulled = throughSoftmax(p, weights, n.classes)
	}
	n.rows = resize(n.rows, len(x))
	for from := 0; from < count; from += n.base.Batch {
		fill(n.gradient.Floats(n.base.Input), x[from*n.dim:])
		fill(n.gradient.Floats(n.weights), pulled[from*n.classes:])
		if err := n.gradient.Step(ctx); err != nil {
			return nil, err
		}
		copy(n.rows[from*n.dim:], n.gradient.Grad(n.linear.Name(), n.base.Input))
	}
	return n.rows, nil
}

// Classes returns the number of classes K.
func (n *Network) Classes() int { return n.classes }

// Close releases the sessions. Further calls do nothing.
func (n *Network) Close() error {
	var err error
	if n.gradient != nil {
		err = n.gradient.Close()
	}
	err = errors.Join(err, n.forward.Close())
	n.gradient, n.forward = nil, nil
	return err
}

func (n *Network) count(x []float32) (int, error) {
	if n.forward == nil {
		return 0, errors.New("perinput: the network is closed")
	}
	if len(x) == 0 || len(x)%n.dim != 0 {
		return 0, fmt.Errorf("perinput: %d values do not make rows of %d", len(x), n.dim)
	}
	return len(x) / n.dim, nil
}

// fill copies as much as there is and clears the rest.
func fill(dst, src []float32) { clear(dst[copy(dst, src):]) }

func resize(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// softmax replaces logits by probabilities.
func softmax(z []float32) {
	most := z[0]
	for _, v := range z[1:] {
		most = max(most, v)
	}
	sum := 0.0
	for i, v := range z {
		e := math.Exp(float64(v) - float64(most))
		z[i] = float32(e)
		sum += e
	}
	for i := range z {
		z[i] = float32(float64(z[i]) / sum)
	}
}

// throughSoftmax turns weights of probabilities into weights of logits.
func throughSoftmax(p, weights []float32, classes int) []float32 {
	out := make([]float32, len(weights))
	for r := 0; r < len(out); r += classes {
		mean := 0.0
		for k := r; k < r+classes; k++ {
			mean += float64(weights[k]) * float64(p[k])
		}
		for k := r; k < r+classes; k++ {
			out[k] = float32(float64(p[k]) * (float64(weights[k]) - mean))
		}
	}
	return out
}
