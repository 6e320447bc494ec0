package infer

import (
	"context"
	"errors"
	"fmt"

	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// Derivative gives derivatives of a generator's fields by its input, for those who attack it. Close
// it after use; it is not safe for concurrent use.
type Derivative struct {
	cfg       Config
	mu, sigma *product // mu is nil for μ = 0
}

// product multiplies weights with the derivative of one output of a graph.
type product struct {
	executor               *autodiff.Executor
	input, weights, output []float32
	gradient               []float32
}

// Differentiate opens the derivatives of a generator that runs networks. The error tells why there
// are none: an operator without a rule, or fields that are stored and not computed.
func (o *Opened) Differentiate(ctx context.Context) (_ *Derivative, err error) {
	g, ok := o.Generator.(*Generator)
	if !ok {
		return nil, errors.New("the generator runs no networks")
	}
	d := &Derivative{cfg: g.cfg}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("differentiate the generator: %w", err), d.Close())
		}
	}()
	if data := o.source.Graphs[bundle.Joint]; data != nil {
		outputs, namesErr := jointOutputs(data)
		if namesErr != nil {
			return nil, namesErr
		}
		if d.sigma, err = o.product(ctx, data, outputs[0]); err != nil || len(outputs) == 1 || g.cfg.FixedMean {
			return d, err
		}
		d.mu, err = o.product(ctx, data, outputs[1])
		return d, err
	}
	if g.cfg.Mu != nil && !g.cfg.FixedMean {
		if d.mu, err = o.product(ctx, o.source.Graphs[bundle.Mu], ""); err != nil {
			return nil, err
		}
	}
	d.sigma, err = o.product(ctx, o.source.Graphs[bundle.Sigma], "")
	return d, err
}

// product differentiates an output of a graph, "" for its only one.
func (o *Opened) product(ctx context.Context, data []byte, output string) (*product, error) {
	m, err := onnx.Parse(data)
	if err != nil {
		return nil, err
	}
	in := m.Inputs()[0]
	dims, err := fit("input", runtime.IO{Tensor: true, DType: in.Type, Ranked: in.HasShape, Dims: sizes(in)}, o.source.Shape)
	if err != nil {
		return nil, err
	}
	if output == "" {
		output = m.Outputs()[0].Name
	}
	symbols := map[string]int64{}
	for i, dim := range in.Shape {
		if dim.Symbol != "" {
			symbols[dim.Symbol] = dims[i]
		}
	}
	if m, err = m.WithOutputs(output); err != nil {
		return nil, err
	}
	session := o.session
	session.IntraOp, session.Outputs = 1, nil
	x, err := autodiff.NewExecutor(ctx, o.rt, m, autodiff.ExecutorOptions{
		Options: autodiff.Options{Wrt: []string{in.Name}, Losses: []autodiff.Loss{autodiff.DefaultLinear()}, Output: output, Sizes: symbols},
		Mode:    autodiff.WeightsAsInputs, Session: session,
	})
	if err != nil {
		return nil, err
	}
	loss := autodiff.DefaultLinear()
	p := &product{
		executor: x, input: x.Floats(in.Name), weights: x.Floats(x.Gradient().Input(loss.Name(), loss.Weights)),
		output: x.Result(output), gradient: x.Grad(loss.Name(), in.Name),
	}
	if d := o.source.Dim(); len(p.input) != d || len(p.weights) != d || len(p.output) != d || len(p.gradient) != d {
		return nil, errors.Join(errors.New("its derivative is not of the size of an input"), x.Close())
	}
	return p, nil
}

// sizes are the declared dimensions, −1 for open ones.
func sizes(v onnx.ValueInfo) []int64 {
	out := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		out[i] = d.Size
	}
	return out
}

// run computes the output at x and its derivative times the weights.
func (p *product) run(ctx context.Context, x []float32, weights func(i int, y float32) float64) error {
	copy(p.input, x)
	clear(p.weights)
	if err := p.executor.Step(ctx); err != nil { // the output comes first: weights depend on it
		return err
	}
	for i, y := range p.output {
		p.weights[i] = float32(weights(i, y))
	}
	return p.executor.Step(ctx)
}

// Add adds Σ_i mu_i ∂μ_i/∂x + Σ_i sigma_i ∂s_i/∂x at x to dst. Scales at the floor or the ceiling
// do not move. All have the dimension of an input.
func (d *Derivative) Add(ctx context.Context, dst []float64, x []float32, mu, sigma []float64) error {
	floor, ceiling := d.cfg.Limits.Float32()
	ofSigma := func(i int, s float32) float64 {
		switch {
		case s > floor && s < ceiling:
			return sigma[i]
		case -s > floor && -s < ceiling:
			return -sigma[i]
		}
		return 0
	}
	shifted := append([]float32(nil), x...)
	c := d.cfg.MuScale
	if d.mu != nil && d.cfg.Joint == nil { // s = |G₂(x + μ)|
		if err := d.mu.run(ctx, x, func(int, float32) float64 { return 0 }); err != nil {
			return err
		}
		for i, v := range d.mu.output {
			shifted[i] += float32(c) * v
		}
	}
	if err := d.sigma.run(ctx, shifted, ofSigma); err != nil {
		return err
	}
	for i, v := range d.sigma.gradient {
		dst[i] += float64(v)
	}
	if d.mu == nil {
		return nil
	}
	ofMu := func(i int, _ float32) float64 {
		w := mu[i]
		if d.cfg.Joint == nil {
			w += float64(d.sigma.gradient[i])
		}
		return c * w
	}
	if err := d.mu.run(ctx, x, ofMu); err != nil {
		return err
	}
	for i, v := range d.mu.gradient {
		dst[i] += float64(v)
	}
	return nil
}

// Close releases the sessions.
func (d *Derivative) Close() error {
	var err error
	for _, p := range []*product{d.mu, d.sigma} {
		if p != nil {
			err = errors.Join(err, p.executor.Close())
		}
	}
	return err
}
