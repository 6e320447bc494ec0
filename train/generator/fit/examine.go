package fit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ucan/models"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/net"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/basis"
)

// examination is a generator beside a classifier and inputs, for the diagnosis.
type examination struct {
	subject diagnose.Subject
	inputs  []diagnose.Input
	closers []func() error
}

func (e *examination) close() error {
	var err error
	for i := len(e.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, e.closers[i]())
	}
	return err
}

// diagnosisBatch is the physical batch of the classifier that is examined.
const diagnosisBatch = 32

func (r *run) examination(ctx context.Context, b *bundle.Bundle) (_ *examination, err error) {
	c := r.config
	e := &examination{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	model := r.model
	if text := b.Graphs[bundle.Base]; text != nil {
		if model, err = models.OpenBytes(ctx, r.rt, r.model.Name(), text, models.Options{
			SourceShape: r.model.InputShape(), SkipLoadTrial: true,
			Declared: models.Declaration{Input: models.InputDeclaration{Name: "x"}, Output: models.OutputDeclaration{Decision: r.model.Decision().String()}},
		}); err != nil {
			return nil, err
		}
		e.closers = append(e.closers, model.Close)
	}
	batch := diagnosisBatch
	if fixed := model.FixedBatch(); fixed > 0 {
		batch = fixed
	}
	classifier, err := model.Classifier(ctx, batch, c.Threads)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, classifier.Close)
	sampler, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: model.Dim(), Classes: model.Classes(), Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	graph := b.Graphs[bundle.Joint]
	if graph == nil {
		graph = b.Graphs[bundle.Sigma]
	}
	g, err := newGenerator(ctx, r.rt, graph, b)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, g.close)
	e.subject = diagnose.Subject{
		Generator: g, Sampler: sampler, Noise: smooth.Noise{Family: c.Family, Norm: c.Norm, Lambda: c.Lambda},
		Floor: c.Net.Floor, Ceiling: c.Net.Ceiling, MuCap: c.Net.MuScale,
	}
	set := r.set
	if r.held != nil {
		set = r.held
	}
	for i := range min(set.Len(), c.DiagnosisInputs) {
		x := make([]float32, set.Dim())
		set.Read(i, x)
		e.inputs = append(e.inputs, diagnose.Input{X: x, ID: smooth.InputID(x), Label: set.Label(i)})
	}
	return e, nil
}

// graphGenerator runs an exported generator, one input at a time.
type graphGenerator struct {
	mu        sync.Mutex
	session   *runtime.Session
	x         *runtime.Tensor
	out       []*runtime.Tensor
	names     []string
	limits    npg.Limits
	scale     float32
	basis     *basis.Transform
	guarantee npg.Guarantee
}

var _ npg.Generator = (*graphGenerator)(nil)

func newGenerator(ctx context.Context, rt *runtime.Runtime, graph []byte, b *bundle.Bundle) (_ *graphGenerator, err error) {
	g := &graphGenerator{limits: b.Limits, scale: float32(b.MuScale), guarantee: b.Kind.Guarantee()}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the generator: %w", errors.Join(err, g.close()))
		}
	}()
	if g.basis, err = b.Transform(); err != nil {
		return nil, err
	}
	dims := []int64{1}
	for _, d := range b.Shape {
		dims = append(dims, int64(d))
	}
	if g.session, err = rt.NewSession(ctx, graph, runtime.SessionOptions{IntraOp: 1}); err != nil {
		return nil, err
	}
	if g.x, err = runtime.NewTensor(rt, dims, make([]float32, b.Dim())); err != nil {
		return nil, err
	}
	for _, o := range g.session.Outputs() {
		t, terr := runtime.NewTensor(rt, dims, make([]float32, b.Dim()))
		if terr != nil {
			return nil, terr
		}
		g.out, g.names = append(g.out, t), append(g.names, o.Name)
	}
	return g, nil
}

// Parameters makes (μ, Σ) for the clean input x.
func (g *graphGenerator) Parameters(ctx context.Context, x []float32) (npg.Parameters, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	copy(runtime.Data[float32](g.x), x)
	if err := g.session.Run(ctx, []*runtime.Tensor{g.x}, g.out); err != nil {
		return npg.Parameters{}, err
	}
	var mu, sigma []float32
	for i, name := range g.names {
		values := runtime.Data[float32](g.out[i])
		if name == net.Sigma {
			sigma = values
			continue
		}
		mu = make([]float32, len(values))
		for k, v := range values {
			mu[k] = g.scale * v
		}
	}
	return g.limits.Seal(g.basis, len(x), mu, sigma)
}

// Guarantee says what certificates with the generator's noise hold for.
func (g *graphGenerator) Guarantee() npg.Guarantee { return g.guarantee }

func (g *graphGenerator) close() error {
	if g == nil {
		return nil
	}
	var err error
	if g.session != nil {
		err = g.session.Close()
	}
	for _, t := range append(g.out, g.x) {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	return err
}
