package attack

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// Slope tells how the smoothed classifier's probability of a class falls.
type Slope interface {
	// Rows is the memory of m noisy inputs, row-major, that Step reads.
	Rows() []float32
	// Step returns −ln of the mean probability of the class over the rows, and its gradient by each
	// row, in memory that the next call overwrites.
	Step(ctx context.Context, class int) (loss float64, gradient []float32, err error)
}

// Gradient is the [Slope] of an opened model. Close it after use.
type Gradient struct {
	executor *autodiff.Executor
	input    string
	rows     []float32
	class    []int64
	gradient []float32
}

var _ Slope = (*Gradient)(nil)

// ErrNoGradient is the error, wrapped, for a model that cannot be differentiated: it is attacked by
// random search alone.
var ErrNoGradient = errors.New("the model cannot be differentiated")

// NewGradient differentiates a model over draws noisy inputs at once, or over as many as its fixed
// batch holds.
func NewGradient(ctx context.Context, rt *runtime.Runtime, m *models.Model, draws int, session runtime.SessionOptions) (*Gradient, error) {
	graph, logits, err := scoreGraph(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGradient, err)
	}
	loss, err := lossOf(m, graph, logits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGradient, err)
	}
	in, _ := graph.Input(models.GraphInput)
	sizes := map[string]int64{}
	if first := in.Shape[0]; !first.IsFixed() {
		sizes[first.Symbol] = int64(draws)
	}
	session.IntraOp, session.Outputs = 1, nil
	x, err := autodiff.NewExecutor(ctx, rt, graph, autodiff.ExecutorOptions{
		Options: autodiff.Options{Wrt: []string{models.GraphInput}, Losses: []autodiff.Loss{loss}, Output: logits, Sizes: sizes},
		Mode:    autodiff.WeightsAsInputs, Session: session,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ErrNoGradient, err)
	}
	g := &Gradient{executor: x, input: models.GraphInput}
	g.rows, g.class = x.Floats(g.input), x.Ints(x.Gradient().Input(lossName, classInput))
	g.gradient = x.Grad(lossName, g.input)
	if len(g.rows) == 0 || len(g.class) != 1 || len(g.gradient) != len(g.rows) {
		return nil, errors.Join(fmt.Errorf("%w: its gradient is not of its input's size", ErrNoGradient), x.Close())
	}
	return g, nil
}

// scoreGraph is the model's graph with the scores as its only output, without the Identity nodes
// that would hide a Softmax.
func scoreGraph(m *models.Model) (graph *onnx.Model, logits string, err error) {
	graph = m.Graph()
	scores, ok := graph.Output(models.GraphScores)
	if !ok {
		return nil, "", models.ErrNoScores
	}
	if graph, err = graph.Inlined(); err != nil {
		return nil, "", err
	}
	logits = models.GraphScores
	made := map[string]string{}
	for _, n := range graph.Nodes() {
		if n.GetOpType() == "Identity" {
			made[n.GetOutput()[0]] = n.GetInput()[0]
		}
	}
	for range len(made) {
		from, found := made[logits]
		if !found {
			break
		}
		logits = from
	}
	b := onnx.Extend(graph)
	b.ClearOutputs()
	b.Output(logits, b.Value(logits), onnx.Float, scores.Shape...)
	if graph, err = b.Build(); err == nil {
		graph, err = graph.WithoutDead()
	}
	return graph, logits, err
}

// lossOf is the loss of the model's decision.
func lossOf(m *models.Model, graph *onnx.Model, logits string) (smoothedLoss, error) {
	d := m.Decision()
	l := smoothedLoss{decision: d.Kind}
	switch d.Kind { //nolint:exhaustive // a label has no scores
	case declare.Argmax, declare.Argmin:
		return l, nil
	case declare.Threshold:
		l.shift = d.T
		if autodiff.EndingOf(graph, logits).Operator == "Sigmoid" {
			if !(d.T > 0 && d.T < 1) {
				return l, fmt.Errorf("the threshold %v of its sigmoid is not between 0 and 1", d.T)
			}
			l.shift = math.Log(d.T / (1 - d.T))
		}
		return l, nil
	}
	return l, fmt.Errorf("its decision is %s", d)
}

// Rows implements [Slope].
func (g *Gradient) Rows() []float32 { return g.rows }

// Step implements [Slope].
func (g *Gradient) Step(ctx context.Context, class int) (float64, []float32, error) {
	g.class[0] = int64(class)
	if err := g.executor.Step(ctx); err != nil {
		return 0, nil, err
	}
	return g.executor.Loss(lossName), g.gradient, nil
}

// Close releases the session.
func (g *Gradient) Close() error { return g.executor.Close() }
