package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ucan/npg"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// graph is a [Network] that onnxruntime runs, one input at a time on one thread, so that the same
// input gives the same bits whatever else runs. Whoever opens it closes it.
type graph struct {
	mu      sync.Mutex // one run at a time
	session *runtime.FloatSession
}

var _ Network = (*graph)(nil)

// openGraph opens a graph with one float input of the shape and outputs of one value a coordinate
// each, in the order of the names; nil takes the only one. The batch is one, so that no other row
// has a part in the answer. A graph whose answer is not a function of its input is refused with a
// *soundness.Refusal. The first load of a graph is tried in a process of its own where that is
// possible, since onnxruntime can abort on damaged ones.
func openGraph(ctx context.Context, rt *runtime.Runtime, model []byte, shape []int, outputs []string, session runtime.SessionOptions) (*graph, error) {
	m, err := onnx.Parse(model)
	if err != nil {
		return nil, err
	}
	if len(m.ExternalTensors()) > 0 {
		return nil, errors.New("it keeps weights in other files; store the generator as one file")
	}
	if inputs := m.Inputs(); len(inputs) != 1 {
		return nil, fmt.Errorf("it has %d inputs; a generator reads one, the clean input", len(inputs))
	}
	if outputs == nil {
		all := m.Outputs()
		if len(all) != 1 {
			return nil, fmt.Errorf("it has %d outputs; give it one, or name them mu and sigma", len(all))
		}
		outputs = []string{all[0].Name}
	}
	if err = checkGraph(m, outputs); err != nil {
		return nil, err
	}
	session.IntraOp, session.Concurrent, session.Outputs = 1, 0, outputs
	if runtime.Probed() {
		if err = rt.ProbeLoad(ctx, model, runtime.ProbeOptions{Session: session}); err != nil {
			return nil, err
		}
	}
	s, err := rt.NewFloatSession(ctx, model, session, func(io runtime.IO, output bool) ([]int64, error) {
		if output {
			return fit("output", io, shape)
		}
		return fit("input", io, shape)
	})
	if err != nil {
		return nil, err
	}
	return &graph{session: s}, nil
}

// checkGraph refuses what makes the outputs, or may, no function of the input. The file itself is
// loaded whole.
func checkGraph(m *onnx.Model, outputs []string) error {
	used, err := m.WithOutputs(outputs...)
	if err != nil {
		return err
	}
	if used, err = used.WithoutDead(); err != nil {
		return err
	}
	return soundness.Check(used)
}

// fit returns the dimensions of a float tensor that holds one input of the shape: with a batch of
// one, flattened with a batch of one, or alone.
func fit(what string, io runtime.IO, shape []int) ([]int64, error) {
	batched := []int64{1}
	for _, n := range shape {
		batched = append(batched, int64(n))
	}
	if io.Tensor && io.DType == onnx.Float {
		for _, candidate := range [][]int64{batched, {1, int64(npg.Dim(shape))}, batched[1:]} {
			if !io.Ranked || slices.EqualFunc(io.Dims, candidate, func(declared, n int64) bool { return declared < 0 || declared == n }) {
				return candidate, nil
			}
		}
	}
	return nil, fmt.Errorf("its %s %v does not take float values of the shape %v in a batch of 1; give one value a coordinate of the input", what, io, batched)
}

// Evaluate implements [Network].
func (g *graph) Evaluate(ctx context.Context, x []float32) ([][]float32, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(x) != len(g.session.In[0]) {
		return nil, fmt.Errorf("an input of %d values for a generator of %d", len(x), len(g.session.In[0]))
	}
	copy(g.session.In[0], x)
	if err := g.session.Run(ctx); err != nil {
		return nil, err
	}
	out := make([][]float32, len(g.session.Out))
	for i, y := range g.session.Out {
		out[i] = slices.Clone(y)
	}
	return out, nil
}

// Close releases the session. Further calls do nothing.
func (g *graph) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.session.Close()
}
