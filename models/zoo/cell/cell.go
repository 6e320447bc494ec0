// Package cell opens one combination of a zoo's run (a model, a data source and a noise setting) on this machine, and
// certifies shards of it. It goes through the same workbench and pipeline as "ucan certify", so that certificates are
// the same but for their time and their section run.
package cell

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/results"
	"ucan/internal/workbench"
	"ucan/models"
	"ucan/models/zoo/artifact"
	"ucan/models/zoo/spec"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// Opener opens cells.
type Opener struct {
	Runtime *runtime.Runtime
	// Artifacts finds and verifies files.
	Artifacts *artifact.Resolver
	// CacheDir is the folder of models that are known to load; "" for none.
	CacheDir string
	// Version is that of the program, as certificates record it.
	Version string
	// Providers, where not nil, stand in for those of the model's settings: planning looks at every model on the CPU.
	Providers []spec.Provider
}

// Cell is a cell that is ready to certify. One shard at a time may use it.
type Cell struct {
	*workbench.Bench
	Certifier *pipeline.Certifier
	// Reach is the largest radius that the statistics can certify.
	Reach float64
	// Statistics have alpha shared among the inputs of the cell, where that is asked for.
	Statistics workbench.Statistics

	dataset *spec.Dataset
	closers []func() error
}

// Open opens the cell of a run. Files are verified first: the error matches artifact.ErrMismatch when one was replaced
// since the run was planned. Close the cell after use.
func (o *Opener) Open(ctx context.Context, run *spec.Run, c *spec.Cell) (_ *Cell, err error) {
	model, ok1 := run.Model(c.Model)
	data, ok2 := run.Dataset(c.Dataset)
	setting, ok3 := run.Setting(c.Noise)
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("open %s × %s × %s: the run %.12s has no such combination; plan it anew", c.Model, c.Dataset, c.Noise, run.ID)
	}
	opened := &Cell{Bench: &workbench.Bench{Runtime: o.Runtime, Forced: c.Forced}, dataset: data}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open %s × %s × %s: %w", c.Model, c.Dataset, c.Noise, err), opened.Close())
		}
	}()
	if err := opened.openData(ctx, o, model); err != nil {
		return nil, err
	}
	if err := opened.openModel(ctx, o, model, c); err != nil {
		return nil, err
	}
	noise, err := opened.noise(ctx, o, setting)
	if err != nil {
		return nil, err
	}
	statistics, err := Statistics(model.Statistics)
	if err != nil {
		return nil, err
	}
	if opened.Statistics, err = statistics.Share(int64(c.Inputs)); err != nil {
		return nil, err
	}
	opened.Certifier, opened.Reach, err = opened.Bench.Certifier(ctx, workbench.Certification{
		Noise: noise, Statistics: opened.Statistics, Seed: run.Seed, Version: o.Version,
	})
	return opened, err
}

// Close releases sessions, files and artifacts. Closing twice is harmless.
func (c *Cell) Close() error {
	var all []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		all = append(all, c.closers[i]())
	}
	c.closers = nil
	return errors.Join(all...)
}

func (c *Cell) onClose(f func() error) { c.closers = append(c.closers, f) }

// hold makes an item ready until the cell is closed.
func (c *Cell) hold(ctx context.Context, o *Opener, item artifact.Item) (string, error) {
	held, err := o.Artifacts.Hold(ctx, item)
	if err != nil {
		return "", err
	}
	c.onClose(held.Close)
	return held.Path, nil
}

func (c *Cell) openData(ctx context.Context, o *Opener, model *spec.Model) error {
	d := c.dataset
	s := dataset.Spec{Kind: d.Kind, Params: map[string]string{}}
	for name, v := range d.Params {
		s.Params[name] = v
	}
	for _, item := range d.Paths {
		path, err := c.hold(ctx, o, item)
		if err != nil {
			return err
		}
		s.Paths = append(s.Paths, path)
	}
	if d.Labels != nil {
		path, err := c.hold(ctx, o, *d.Labels)
		if err != nil {
			return err
		}
		s.Params["labels"] = path
	}
	var err error
	c.Source, err = dataset.Open(ctx, spec.SourceText(s), DataOptions(d, model.Declaration))
	if err != nil {
		return err
	}
	c.onClose(c.Source.Close)
	if c.Info = c.Source.Info(); c.Info.Fingerprint != d.Fingerprint {
		return fmt.Errorf("the data %s: %w: fingerprint %.12s… was planned and %.12s… is there; restore the files, or plan the run anew", d.Name, artifact.ErrMismatch, d.Fingerprint, c.Info.Fingerprint)
	}
	// A copy in a cache must be called as the original was.
	c.Info.Name = d.Source
	return nil
}

func (c *Cell) openModel(ctx context.Context, o *Opener, model *spec.Model, combination *spec.Cell) error {
	path, err := c.hold(ctx, o, model.File)
	if err != nil {
		return err
	}
	declared := model.Declaration
	if model.Denoiser != nil {
		if declared.Denoiser, err = c.hold(ctx, o, *model.Denoiser); err != nil {
			return err
		}
	}
	providers := model.Runtime.Providers
	if o.Providers != nil {
		providers = o.Providers
	}
	c.Model, err = models.Open(ctx, o.Runtime, path, models.Options{
		Declared: declared, YAML: os.DevNull, // what a file beside the model says now does not count
		SourceShape: c.Info.Shape, Session: runtime.SessionOptions{Providers: Providers(providers), IntraOp: 1}, CacheDir: o.CacheDir,
	})
	if err != nil {
		return fmt.Errorf("open model %w", err)
	}
	c.onClose(c.Model.Close)
	if c.Model.SHA256() != model.SHA256 {
		return fmt.Errorf("the model %s: %w: SHA-256 %.12s… was planned and %.12s… is there; restore the file, or plan the run anew", model.Name, artifact.ErrMismatch, model.SHA256, c.Model.SHA256())
	}
	c.Setting = models.Setting{Batch: combination.Batch, Workers: 1, IntraOp: model.Runtime.Threads}
	classifier, err := c.Model.Classifier(ctx, c.Setting.Batch, c.Setting.IntraOp)
	if err != nil {
		return err
	}
	c.onClose(classifier.Close)
	c.Workers = []smooth.Classifier{classifier}
	return nil
}

// noise reads a setting.
func (c *Cell) noise(ctx context.Context, o *Opener, s *spec.Setting) (workbench.Noise, error) {
	n, err := Noise(s)
	if err != nil || len(s.Files) == 0 {
		return n, err
	}
	paths := make([]string, len(s.Files))
	for i, item := range s.Files {
		if paths[i], err = c.hold(ctx, o, item); err != nil {
			return n, err
		}
	}
	n.NPG = strings.Join(paths, ",")
	return n, nil
}

// Noise turns a setting into what the workbench takes; a generator's files must be filled in.
func Noise(s *spec.Setting) (workbench.Noise, error) {
	f, err := family.New(s.Family, s.Params)
	if err != nil {
		return workbench.Noise{}, err
	}
	norm, err := family.ParseNorm(s.Norm)
	if err != nil {
		return workbench.Noise{}, err
	}
	arithmetic, err := smooth.ParseArithmetic(s.Arithmetic)
	return workbench.Noise{Family: f, Norm: norm, Sigma: s.Sigma, Lambda: s.Lambda, NPG: s.NPG, Arithmetic: arithmetic}, err
}

// Statistics turns a model's statistics into what the workbench takes; alpha is not shared yet.
func Statistics(s spec.Statistics) (workbench.Statistics, error) {
	bound, err := smooth.ParseBound(s.Bound)
	if err != nil {
		return workbench.Statistics{}, err
	}
	w := workbench.Statistics{N0: s.N0, N: s.N, Alpha: s.Alpha, Bound: bound, Joint: s.Joint, LabelAware: s.LabelAware, Grid: s.Grid}
	if s.Adaptive != "" {
		profile, err := sequential.ParseProfile(s.Adaptive)
		if err != nil {
			return workbench.Statistics{}, err
		}
		if s.N != profile.Cap {
			profile = profile.WithCap(s.N)
		}
		w.Profile = &profile
	}
	return w, nil
}

// DataOptions say how a data source is opened for a model: what the model declares about resizing counts where the data
// source says nothing.
func DataOptions(d *spec.Dataset, declared models.Declaration) dataset.Options {
	o := dataset.Options{Resize: d.Resize, Crop: d.Crop, LabelMap: d.LabelMap}
	if o.Resize == 0 {
		o.Resize = declared.Input.Resize
	}
	if o.Crop == 0 {
		o.Crop = declared.Input.Crop
	}
	return o
}

// Providers turns the providers of a run into those of a session.
func Providers(list []spec.Provider) []runtime.Provider {
	out := make([]runtime.Provider, len(list))
	for i, p := range list {
		out[i] = runtime.Provider{Name: p.Name, Options: p.Options}
	}
	return out
}

// Certify certifies the inputs of a shard in the order of their indices and hands each row with its certificate to put.
// An input that cannot be used makes a row with the status failed; it ends nothing.
func (c *Cell) Certify(ctx context.Context, shard spec.Shard, put func(results.Row, *certificate.Certificate) error) error {
	loop := pipeline.Loop{Source: c.Inputs(), Indices: c.dataset.Indices(shard), MaxFailures: math.Inf(1)}
	err := loop.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			if c.Statistics.LabelAware && item.Label < 0 {
				return fmt.Errorf("certify input %d of %s: it has no label, and a label-aware run tests the label; leave label_aware out", item.Index, c.Info.Name)
			}
			row, cert, err := c.Certifier.Certify(ctx, item)
			if err != nil {
				return err
			}
			return put(row, cert)
		},
		func(item dataset.Item, reason error) error {
			row, cert, err := c.Certifier.Fail(item, reason)
			if err != nil {
				return err
			}
			return put(row, cert)
		})
	if errors.Is(err, pipeline.ErrSomeFailed) {
		return nil
	}
	return err
}
