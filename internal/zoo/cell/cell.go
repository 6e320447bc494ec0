// Package cell opens the combinations of a zoo's run on this machine: a model beside a data source,
// verified, on its session, and the certifier of each noise setting.
package cell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
	"ucan/models"
	"ucan/runtime"
)

// Opener opens pairs of model and data.
type Opener struct {
	Runtime *runtime.Runtime
	// Artifacts finds and verifies files.
	Artifacts *artifact.Resolver
	// CacheDir is the folder of models that are known to load; "" for none.
	CacheDir string
	// Version is that of the program, Processor the kind of this machine's processor, as
	// certificates record them.
	Version, Processor string
}

// Pair is a model of a run beside one of its data sources. One goroutine at a time may use it.
type Pair struct {
	*certify.Setup
	opener     *Opener
	run        *matrix.Run
	model      *matrix.Model
	data       *matrix.Dataset
	certifiers map[string]*certify.Certifier // by noise
	closers    []func() error
}

// Open opens the model and the data of a combination. Files are verified first: the error matches
// artifact.ErrMismatch when one was replaced since the run was planned. It is a models.Refusal
// where the pair cannot be certified soundly. Close the pair after use.
func (o *Opener) Open(ctx context.Context, run *matrix.Run, c matrix.Combination) (_ *Pair, err error) {
	p := &Pair{opener: o, run: run, model: c.Model, data: c.Data, certifiers: map[string]*certify.Certifier{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open %s × %s: %w", c.Model.Name, c.Data.Name, err), p.Close())
		}
	}()
	r, err := p.request(ctx, c.Cell)
	if err != nil {
		return nil, err
	}
	if p.Setup, err = certify.Open(ctx, r); err != nil {
		return nil, err
	}
	p.onClose(p.Setup.Close)
	p.Forced = c.Cell.Forced
	if hash := p.Model.SHA256(); hash != p.model.SHA256 {
		return nil, fmt.Errorf("the model: %w: SHA-256 %.12s… was planned and %.12s… is there; restore the file, or plan the run anew", artifact.ErrMismatch, p.model.SHA256, hash)
	}
	return p, nil
}

// Is reports whether the pair was opened for a combination of the run.
func (p *Pair) Is(run *matrix.Run, c matrix.Combination) bool {
	return p.run.ID == run.ID && p.model.Name == c.Model.Name && p.data.Name == c.Data.Name
}

// Close releases sessions, files and artifacts. Closing twice is harmless.
func (p *Pair) Close() error {
	var all []error
	for _, f := range slices.Backward(p.closers) {
		all = append(all, f())
	}
	p.closers = nil
	return errors.Join(all...)
}

func (p *Pair) onClose(f func() error) { p.closers = append(p.closers, f) }

// hold makes an artifact ready until the pair is closed, and returns its path.
func (p *Pair) hold(ctx context.Context, item artifact.Item) (string, error) {
	held, err := p.opener.Artifacts.Hold(ctx, item)
	if err != nil {
		return "", err
	}
	p.onClose(held.Close)
	return held.Path, nil
}

// request holds the model's files and describes how the pair is opened.
func (p *Pair) request(ctx context.Context, c *matrix.Cell) (r certify.Request, err error) {
	m := p.model
	r = certify.Request{
		Runtime: p.opener.Runtime,
		Options: models.Options{
			Declared: m.Declaration, NoYAML: true, // what a file beside the model says now does not count
			Session:  runtime.SessionOptions{Providers: providers(m.Runtime.Providers), IntraOp: 1, RunLimit: m.Limits.Span()},
			CacheDir: p.opener.CacheDir,
		},
		Data:        p.openData,
		DataOptions: dataset.Options{Resize: p.data.Resize, Crop: p.data.Crop, LabelMap: p.data.LabelMap},
		Selection:   dataset.DefaultSelection(), // shards choose among all inputs
		Setting: func(context.Context, *models.Model) (models.Setting, error) {
			return models.Setting{Batch: c.Batch, Workers: 1, IntraOp: m.Runtime.Threads}, nil
		},
	}
	if r.Model, err = p.hold(ctx, m.File); err == nil && m.Denoiser != nil {
		r.Options.Declared.Denoiser, err = p.hold(ctx, *m.Denoiser)
	}
	return r, err
}

// openData opens the data and compares them with those that were planned.
func (p *Pair) openData(ctx context.Context, o dataset.Options) (*dataset.Source, error) {
	d := p.data
	s := dataset.Spec{Kind: d.Kind, Params: map[string]string{}}
	for name, v := range d.Params {
		s.Params[name] = v
	}
	for _, item := range d.Paths {
		path, err := p.hold(ctx, item)
		if err != nil {
			return nil, err
		}
		s.Paths = append(s.Paths, path)
	}
	if d.Labels != nil {
		path, err := p.hold(ctx, *d.Labels)
		if err != nil {
			return nil, err
		}
		s.Params["labels"] = path
	}
	source, err := dataset.Open(ctx, matrix.SourceText(s), o)
	if err != nil {
		return nil, err
	}
	p.onClose(source.Close)
	if got := source.Info().Fingerprint; got != d.Fingerprint {
		return nil, fmt.Errorf("the data: %w: fingerprint %.12s… was planned and %.12s… is there; restore the files, or plan the run anew", artifact.ErrMismatch, d.Fingerprint, got)
	}
	return source, nil
}

// Verify checks that the files of the pair are still those of the run. It costs next to nothing
// while they do not change.
func (p *Pair) Verify(ctx context.Context) error {
	for _, item := range append([]artifact.Item{p.model.File}, p.data.Paths...) {
		held, err := p.opener.Artifacts.Hold(ctx, item)
		if err == nil {
			err = held.Close()
		}
		if err != nil {
			return fmt.Errorf("verify %s × %s: %w", p.model.Name, p.data.Name, err)
		}
	}
	return nil
}

// noise makes the noise of a setting.
func (p *Pair) noise(ctx context.Context, setting *matrix.Setting) (certify.Noise, error) {
	n, err := Noise(setting)
	if err != nil || len(setting.Files) == 0 {
		return n, err
	}
	paths := make([]string, len(setting.Files))
	for i, item := range setting.Files {
		if paths[i], err = p.hold(ctx, item); err != nil {
			return n, err
		}
	}
	n.NPG = strings.Join(paths, ",")
	return n, nil
}

// rowInputs are the inputs at the beginning of a source that trial batches are made of: the same
// for every shard.
const rowInputs = 64

// Certifier returns what certifies the inputs of a combination of the pair. It is made once, after
// trial batches under its noise ([certify.Setup.CheckRows]): a models.Refusal where they show that
// rows depend on each other.
func (p *Pair) Certifier(ctx context.Context, c matrix.Combination) (*certify.Certifier, error) {
	if known := p.certifiers[c.Noise.Name]; known != nil {
		return known, nil
	}
	noise, err := p.noise(ctx, c.Noise)
	if err != nil {
		return nil, err
	}
	statistics, err := Statistics(c.Model.Statistics, c.Cell.Inputs)
	if err != nil {
		return nil, err
	}
	certifier, _, err := p.Setup.Certifier(ctx, certify.Config{
		Noise: noise, Statistics: statistics, Seed: p.run.Seed, Version: p.opener.Version, Processor: p.opener.Processor,
	})
	if err != nil {
		return nil, fmt.Errorf("make the certifier of %s: %w", c, err)
	}
	p.onClose(certifier.Noise.Close)
	first := p.Indices[:min(len(p.Indices), rowInputs)]
	if err = p.CheckRows(ctx, first, p.run.Seed, certifier.Noise.SealItem); err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	p.certifiers[c.Noise.Name] = certifier
	return certifier, nil
}
