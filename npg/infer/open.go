package infer

import (
	"context"
	"errors"
	"fmt"

	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// Opened is a generator with the sessions it runs on. Whoever opens it closes it.
type Opened struct {
	npg.Generator
	graphs []*graph

	// What derivatives are made of.
	source  *bundle.Bundle
	rt      *runtime.Runtime
	session runtime.SessionOptions
}

// Close releases the sessions. Further calls do nothing.
func (o *Opened) Close() error {
	var errs []error
	for _, g := range o.graphs {
		errs = append(errs, g.Close())
	}
	o.graphs = nil
	return errors.Join(errs...)
}

// Open returns the generator of a bundle. rt may be nil for kinds that run no networks; others run
// on one thread, whatever the options of the session say.
func Open(ctx context.Context, rt *runtime.Runtime, b *bundle.Bundle, session runtime.SessionOptions) (_ *Opened, err error) {
	if b.Kind != npg.KindCertification {
		generator, storedErr := b.Stored()
		if storedErr != nil {
			return nil, storedErr
		}
		return &Opened{Generator: generator}, nil
	}
	if err = b.Validate(); err != nil {
		return nil, err
	}
	out := &Opened{source: b, rt: rt, session: session}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close())
		}
	}()
	open := func(role bundle.Role, outputs []string) (Network, error) {
		g, openErr := openGraph(ctx, rt, b.Graphs[role], b.Shape, outputs, session)
		if openErr != nil {
			return nil, fmt.Errorf("the graph %s: %w", role, openErr)
		}
		out.graphs = append(out.graphs, g)
		return g, nil
	}
	c := Config{Dim: b.Dim(), Limits: b.Limits, MuScale: b.MuScale, FixedMean: b.FixedMean}
	if c.Basis, err = b.Transform(); err != nil {
		return nil, err
	}
	if data := b.Graphs[bundle.Joint]; data != nil {
		outputs, namesErr := jointOutputs(data)
		if namesErr != nil {
			return nil, fmt.Errorf("the graph %s: %w", bundle.Joint, namesErr)
		}
		if c.Joint, err = open(bundle.Joint, outputs); err != nil {
			return nil, err
		}
	} else {
		if b.Graphs[bundle.Mu] != nil && !b.FixedMean {
			if c.Mu, err = open(bundle.Mu, nil); err != nil {
				return nil, err
			}
		}
		if c.Sigma, err = open(bundle.Sigma, nil); err != nil {
			return nil, err
		}
	}
	if out.Generator, err = NewGenerator(c); err != nil {
		return nil, err
	}
	return out, nil
}

// jointOutputs names the outputs of one graph in the order of [Config.Joint]: sigma, or the only
// one; then mu.
func jointOutputs(model []byte) ([]string, error) {
	m, err := onnx.Parse(model)
	if err != nil {
		return nil, err
	}
	_, mu := m.Output("mu")
	_, sigma := m.Output("sigma")
	switch outputs := m.Outputs(); {
	case sigma && mu:
		return []string{"sigma", "mu"}, nil
	case sigma:
		return []string{"sigma"}, nil
	case len(outputs) == 1 && !mu:
		return []string{outputs[0].Name}, nil
	}
	return nil, errors.New("it has no output named sigma; name its outputs mu and sigma")
}
