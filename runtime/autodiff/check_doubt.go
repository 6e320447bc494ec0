package autodiff

import (
	"context"
	"errors"
	"slices"
)

// nudges is how often the input is moved to see by how much rounding moves a gradient.
const nudges = 8

// doubt measures, once, by how much float32 may move the gradients.
func (c *comparison) doubt(ctx context.Context) error {
	if c.doubts != nil {
		return nil
	}
	c.doubts = make([][][]float64, len(c.grads))
	if err := c.nudge(ctx); err != nil {
		return err
	}
	return c.widen(ctx)
}

// add keeps what gradients of all losses differ by from those of base.
func (c *comparison) add(e *evaluation, outputs []string, base func(loss int) []float64) {
	for i, name := range outputs {
		g := e.floats(name)
		for j, v := range base(i) {
			g[j] -= v
		}
		c.doubts[i] = append(c.doubts[i], g)
	}
}

// nudge compares with the gradients at inputs that differ in the last bits.
func (c *comparison) nudge(ctx context.Context) error {
	near := slices.Clone(c.x)
	for range nudges {
		for i, v := range c.x {
			near[i] = v + 0x1p-22*c.rng.NormFloat64()*c.scale
		}
		c.gradient.set(c.wrt, near)
		if err := c.gradient.run(ctx); err != nil {
			return err
		}
		c.add(c.gradient, c.checker.grads, func(loss int) []float64 { return c.grads[loss] })
	}
	c.gradient.set(c.wrt, c.x)
	return c.gradient.run(ctx)
}

// widen compares the graph for any runtime with itself in float64. Where it cannot be run so,
// nothing is learnt.
func (c *comparison) widen(ctx context.Context) (err error) {
	g, err := Differentiate(ctx, OnRuntime(c.rt), c.fixed, Options{Wrt: []string{c.wrt}, Losses: c.of, Output: c.output, Rules: c.opts.Rules})
	if err != nil {
		return err
	}
	outputs := make([]string, len(c.of))
	for i, l := range c.of {
		outputs[i] = g.Output(l.Name(), c.wrt)
		c.facts[outputs[i]] = c.facts[c.wrt]
	}
	var single, double *evaluation
	defer func() { err = errors.Join(err, single.close(), double.close()) }()
	if single, err = evaluateOnly(ctx, c.rt, g.Model, outputs, c.facts); err != nil {
		return err
	}
	wide, _, err := inDouble(ctx, OnRuntime(c.rt), g.Model, nil)
	if err == nil {
		double, err = evaluateOnly(ctx, c.rt, wide, outputs, c.facts)
	}
	if err != nil {
		return ctx.Err()
	}
	for _, e := range []*evaluation{single, double} {
		if err = e.copyInputs(c.gradient); err == nil {
			err = e.run(ctx)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range outputs {
		c.wide = append(c.wide, double.floats(name))
	}
	c.add(double, outputs, func(loss int) []float64 { return single.floats(outputs[loss]) })
	return nil
}
