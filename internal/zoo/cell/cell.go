// Package cell opens the combinations of a zoo's run on this machine: a model beside a data source, verified, on its
// session, and the certifier of each noise setting. It goes through the same workbench as "ucan certify", so that
// certificates are the same but for their time and their section run.
package cell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/workbench"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/matrix"
	"ucan/models"
	"ucan/runtime"
	"ucan/smooth"
)

// Opener opens pairs of model and data.
type Opener struct {
	Runtime *runtime.Runtime
	// Artifacts finds and verifies files.
	Artifacts *artifact.Resolver
	// CacheDir is the folder of models that are known to load; "" for none.
	CacheDir string
	// Version is that of the program, Processor the kind of this machine's processor, as certificates record them.
	Version, Processor string
}

// Pair is a model of a run beside one of its data sources. One goroutine at a time may use it.
type Pair struct {
	workbench.Bench
	opener     *Opener
	run        *matrix.Run
	model      *matrix.Model
	data       *matrix.Dataset
	certifiers map[string]*pipeline.Certifier // by noise
	closers    []func() error
}

// Open opens the model and the data of a cell. Files are verified first: the error matches artifact.ErrMismatch when one
// was replaced since the run was planned. It is a models.Refusal where the pair cannot be certified soundly. Close the
// pair after use.
func (o *Opener) Open(ctx context.Context, run *matrix.Run, c *matrix.Cell) (_ *Pair, err error) {
	p := &Pair{Bench: workbench.Bench{Runtime: o.Runtime, Forced: c.Forced}, opener: o, run: run, certifiers: map[string]*pipeline.Certifier{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open %s × %s: %w", c.Model, c.Dataset, err), p.Close())
		}
	}()
	var ok bool
	if p.model, ok = run.Model(c.Model); !ok {
		return nil, errors.New("the run lacks the model; plan it anew")
	}
	if p.data, ok = run.Dataset(c.Dataset); !ok {
		return nil, errors.New("the run lacks the data; plan it anew")
	}
	if err := p.openData(ctx); err != nil {
		return nil, err
	}
	return p, p.openModel(ctx, c.Batch)
}

// Close releases sessions, files and artifacts. Closing twice is harmless.
func (p *Pair) Close() error {
	var all []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		all = append(all, p.closers[i]())
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

func (p *Pair) openData(ctx context.Context) error {
	d := p.data
	s := dataset.Spec{Kind: d.Kind, Params: map[string]string{}}
	for name, v := range d.Params {
		s.Params[name] = v
	}
	for _, item := range d.Paths {
		path, err := p.hold(ctx, item)
		if err != nil {
			return err
		}
		s.Paths = append(s.Paths, path)
	}
	if d.Labels != nil {
		path, err := p.hold(ctx, *d.Labels)
		if err != nil {
			return err
		}
		s.Params["labels"] = path
	}
	var err error
	if p.Source, err = dataset.Open(ctx, matrix.SourceText(s), DataOptions(d, p.model.Declaration)); err != nil {
		return err
	}
	p.onClose(p.Source.Close)
	if p.Info = p.Source.Info(); p.Info.Fingerprint != d.Fingerprint {
		return fmt.Errorf("the data: %w: fingerprint %.12s… was planned and %.12s… is there; restore the files, or plan the run anew", artifact.ErrMismatch, d.Fingerprint, p.Info.Fingerprint)
	}
	return nil
}

func (p *Pair) openModel(ctx context.Context, batch int) error {
	path, err := p.hold(ctx, p.model.File)
	if err != nil {
		return err
	}
	declared := p.model.Declaration
	if p.model.Denoiser != nil {
		if declared.Denoiser, err = p.hold(ctx, *p.model.Denoiser); err != nil {
			return err
		}
	}
	p.Session = runtime.SessionOptions{Providers: Providers(p.model.Runtime.Providers), IntraOp: 1, RunLimit: p.model.Limits.Span()}
	p.Model, err = models.Open(ctx, p.Runtime, path, models.Options{
		Declared: declared, NoYAML: true, // what a file beside the model says now does not count
		SourceShape: p.Info.Shape, Session: p.Session, CacheDir: p.opener.CacheDir,
	})
	if err != nil {
		return err
	}
	p.onClose(p.Model.Close)
	if hash := p.Model.SHA256(); hash != p.model.SHA256 {
		return fmt.Errorf("the model: %w: SHA-256 %.12s… was planned and %.12s… is there; restore the file, or plan the run anew", artifact.ErrMismatch, p.model.SHA256, hash)
	}
	p.Setting = models.Setting{Batch: batch, Workers: 1, IntraOp: p.model.Runtime.Threads}
	classifier, err := p.Model.Classifier(ctx, p.Setting.Batch, p.Setting.IntraOp)
	if err != nil {
		return err
	}
	p.onClose(classifier.Close)
	p.Workers = []smooth.Classifier{classifier}
	return nil
}

// Noise makes the noise of a setting of the run.
func (p *Pair) Noise(ctx context.Context, name string) (workbench.Noise, error) {
	setting, ok := p.run.Setting(name)
	if !ok {
		return workbench.Noise{}, fmt.Errorf("make the noise %q: the run lacks it; plan it anew", name)
	}
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

// Statistics are those of the pair's model, with alpha shared among so many inputs where the run asks for that.
func (p *Pair) Statistics(inputs int) (workbench.Statistics, error) {
	s, err := Statistics(p.model.Statistics)
	if err != nil {
		return s, err
	}
	return s.Share(int64(inputs))
}

// Certifier returns what certifies the inputs of a cell of the pair; it is made once, after trial batches of the source's
// first inputs under its noise ([workbench.Bench.CheckRows]): a models.Refusal where they show that rows depend on each
// other.
func (p *Pair) Certifier(ctx context.Context, c *matrix.Cell) (*pipeline.Certifier, error) {
	if made := p.certifiers[c.Noise]; made != nil {
		return made, nil
	}
	noise, err := p.Noise(ctx, c.Noise)
	if err != nil {
		return nil, err
	}
	statistics, err := p.Statistics(c.Inputs)
	if err != nil {
		return nil, err
	}
	made, _, err := p.Bench.Certifier(ctx, workbench.Certification{Noise: noise, Statistics: statistics, Seed: p.run.Seed, Version: p.opener.Version, Processor: p.opener.Processor})
	if err != nil {
		return nil, fmt.Errorf("make the certifier of %s × %s × %s: %w", c.Model, c.Dataset, c.Noise, err)
	}
	p.onClose(made.Noise.Close)
	first := make([]int, min(p.Source.Len(), 64)) // the same inputs for every shard
	for i := range first {
		first[i] = i
	}
	if _, err = p.CheckRows(ctx, first, p.run.Seed, func(ctx context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
		return made.Noise.Seal(ctx, item.X)
	}); err != nil {
		return nil, fmt.Errorf("%s × %s × %s: %w", c.Model, c.Dataset, c.Noise, err)
	}
	p.certifiers[c.Noise] = made
	return made, nil
}
