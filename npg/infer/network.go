package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// graph is a [Network] that onnxruntime runs, one input at a time on one thread, so that the same input gives the same
// bits whatever else runs. Whoever opens it closes it.
type graph struct {
	mu      sync.Mutex // one run at a time: the tensors are shared
	session *runtime.Session
	in      *runtime.Tensor
	out     []*runtime.Tensor
	x       []float32
	y       [][]float32
}

var _ Network = (*graph)(nil)

// openGraph opens a graph with one float input of the shape and outputs of one value a coordinate each, in the order of
// the names; nil takes the only one. The batch is one, so that no other row has a part in the answer. A graph whose answer
// is not a function of its input is refused with a *soundness.Refusal. The first load of a graph is tried in a process of
// its own where that is possible, since onnxruntime can abort on damaged ones.
func openGraph(ctx context.Context, rt *runtime.Runtime, model []byte, shape []int, outputs []string, session runtime.SessionOptions) (_ *graph, err error) {
	m, err := onnx.Parse(model)
	if err != nil {
		return nil, err
	}
	if len(m.ExternalTensors()) > 0 {
		return nil, errors.New("it keeps weights in other files; store the generator as one file")
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
	g := &graph{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.session, err = rt.NewSession(ctx, model, session); err != nil {
		return nil, err
	}
	return g, g.allocate(rt, shape)
}

// checkGraph refuses what makes the outputs, or may, no function of the input. The file itself is loaded whole.
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

// allocate makes the tensors.
func (g *graph) allocate(rt *runtime.Runtime, shape []int) error {
	inputs := g.session.Inputs()
	if len(inputs) != 1 {
		return fmt.Errorf("it has %d inputs; a generator reads one, the clean input", len(inputs))
	}
	dims, err := fit("input", inputs[0], shape)
	if err != nil {
		return err
	}
	dim := 1
	for _, n := range shape {
		dim *= n
	}
	g.x = make([]float32, dim)
	if g.in, err = runtime.NewTensor(rt, dims, g.x); err != nil {
		return err
	}
	for _, output := range g.session.Outputs() {
		if dims, err = fit("output", output, shape); err != nil {
			return err
		}
		y := make([]float32, dim)
		tensor, err := runtime.NewTensor(rt, dims, y)
		if err != nil {
			return err
		}
		g.y, g.out = append(g.y, y), append(g.out, tensor)
	}
	return nil
}

// fit returns the dimensions of a float tensor that holds one input of the shape: with a batch of one, flattened with a
// batch of one, or alone.
func fit(what string, io runtime.IO, shape []int) ([]int64, error) {
	single := make([]int64, len(shape))
	dim := int64(1)
	for i, n := range shape {
		single[i] = int64(n)
		dim *= int64(n)
	}
	batched := append([]int64{1}, single...)
	if io.Tensor && io.DType == onnx.Float {
		for _, candidate := range [][]int64{batched, {1, dim}, single} {
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
	if g.session == nil {
		return nil, errors.New("the generator is closed")
	}
	if len(x) != len(g.x) {
		return nil, fmt.Errorf("an input of %d values for a generator of %d", len(x), len(g.x))
	}
	copy(g.x, x)
	if err := g.session.Run(ctx, []*runtime.Tensor{g.in}, g.out); err != nil {
		return nil, err
	}
	out := make([][]float32, len(g.y))
	for i, y := range g.y {
		out[i] = slices.Clone(y)
	}
	return out, nil
}

// Close releases the session. Further calls do nothing.
func (g *graph) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if g.session != nil {
		err = g.session.Close()
	}
	for _, t := range append(g.out, g.in) {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	g.session, g.in, g.out = nil, nil, nil
	return err
}
