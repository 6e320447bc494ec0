package worker

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/workbench"
	"ucan/models"
	"ucan/models/zoo/artifact"
	"ucan/models/zoo/spec"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// bench is a model of a run, ready beside one of its data sources, with the certifiers of the noise settings met so far.
type bench struct {
	workbench.Bench
	executor   *Executor
	run        *spec.Run
	model      *spec.Model
	data       *spec.Dataset
	certifiers map[string]*pipeline.Certifier // by noise
	closers    []func() error
}

// openBench opens model and data of a cell. Its error is a models.Refusal where the pair cannot be certified soundly.
func (e *Executor) openBench(ctx context.Context, run *spec.Run, cell *spec.Cell) (b *bench, err error) {
	b = &bench{executor: e, run: run, certifiers: map[string]*pipeline.Certifier{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	var ok bool
	if b.model, ok = run.Model(cell.Model); !ok {
		return b, fmt.Errorf("open the model %q: the run lacks it", cell.Model)
	}
	if b.data, ok = run.Dataset(cell.Dataset); !ok {
		return b, fmt.Errorf("open the data %q: the run lacks them", cell.Dataset)
	}
	b.Runtime, b.Forced = e.runtime, cell.Forced
	if err = b.openData(ctx); err != nil {
		return b, fmt.Errorf("open the data %q: %w", cell.Dataset, err)
	}
	if err = b.openModel(ctx, cell.Batch); err != nil {
		return b, fmt.Errorf("open the model %q: %w", cell.Model, err)
	}
	return b, nil
}

func (b *bench) close() (err error) {
	for i := len(b.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closers[i]())
	}
	b.closers = nil
	return err
}

// hold makes an artifact ready until the bench is closed, and returns its path.
func (b *bench) hold(ctx context.Context, item artifact.Item) (string, error) {
	held, err := b.executor.artifacts.Hold(ctx, item)
	if errors.Is(err, artifact.ErrMismatch) {
		return "", mismatch{err}
	}
	if err != nil {
		return "", err
	}
	b.closers = append(b.closers, held.Close)
	return held.Path, nil
}

// mismatch is an artifact that is not the one that was planned.
type mismatch struct{ error }

func (m mismatch) Unwrap() error { return m.error }

// FailureKind counts replaced files apart.
func (mismatch) FailureKind() string { return "mismatch" }

func (b *bench) openData(ctx context.Context) error {
	params := map[string]string{}
	for k, v := range b.data.Params {
		params[k] = v
	}
	if b.data.Labels != nil {
		path, err := b.hold(ctx, *b.data.Labels)
		if err != nil {
			return err
		}
		params["labels"] = path
	}
	var paths []string
	for _, item := range b.data.Paths {
		path, err := b.hold(ctx, item)
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	options := dataset.Options{Resize: b.data.Resize, Crop: b.data.Crop, LabelMap: b.data.LabelMap}
	if options.Resize == 0 {
		options.Resize = b.model.Declaration.Input.Resize
	}
	if options.Crop == 0 {
		options.Crop = b.model.Declaration.Input.Crop
	}
	source, err := dataset.Open(ctx, specification(b.data.Kind, paths, params), options)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, source.Close)
	b.Source, b.Info = source, source.Info()
	if b.data.Fingerprint != "" && b.Info.Fingerprint != b.data.Fingerprint {
		return mismatch{fmt.Errorf("%w: its fingerprint is %s, and %s was planned; restore the files, or start a new run", artifact.ErrMismatch, b.Info.Fingerprint, b.data.Fingerprint)}
	}
	b.Info.Name = b.data.Source // the name in certificates does not follow where a worker keeps the files
	return nil
}

// specification writes a data source as dataset.Open reads it, whatever the paths are made of.
func specification(kind string, paths []string, params map[string]string) string {
	var b strings.Builder
	b.WriteString(kind)
	for i, path := range paths {
		b.WriteByte(":,"[min(i, 1)])
		b.WriteString(url.PathEscape(path))
	}
	separator := "?"
	for key, value := range params {
		b.WriteString(separator + key + "=" + strings.ReplaceAll(url.PathEscape(value), "&", "%26"))
		separator = "&"
	}
	return b.String()
}

func (b *bench) openModel(ctx context.Context, batch int) error {
	path, err := b.hold(ctx, b.model.File)
	if err != nil {
		return err
	}
	declared := b.model.Declaration
	if b.model.Denoiser != nil {
		if declared.Denoiser, err = b.hold(ctx, *b.model.Denoiser); err != nil {
			return err
		}
	}
	options := runtime.SessionOptions{IntraOp: 1}
	for _, p := range b.model.Runtime.Providers {
		options.Providers = append(options.Providers, runtime.Provider{Name: p.Name, Options: p.Options})
	}
	b.Model, err = models.Open(ctx, b.executor.runtime, path, models.Options{
		Declared: declared, YAML: b.executor.emptyYAML, SourceShape: b.Info.Shape, Session: options, CacheDir: b.executor.config.CacheDir,
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, b.Model.Close)
	if hash := b.Model.SHA256(); hash != b.model.SHA256 {
		return mismatch{fmt.Errorf("%w: the model's hash is %s, and %s was planned; restore the file, or start a new run", artifact.ErrMismatch, hash, b.model.SHA256)}
	}
	if batch == 0 {
		batch = b.model.Runtime.Batch
	}
	b.Setting = models.Setting{Batch: batch, Workers: 1, IntraOp: max(1, b.model.Runtime.Threads)}
	classifiers, err := b.Model.Classifiers(ctx, 1, b.Setting.Batch, b.Setting.IntraOp)
	if err != nil {
		return err
	}
	for _, c := range classifiers {
		b.closers = append(b.closers, c.Close)
		b.Workers = append(b.Workers, c)
	}
	return nil
}

// certifier makes what certifies the cell's inputs, once.
func (b *bench) certifier(ctx context.Context, cell *spec.Cell) (*pipeline.Certifier, error) {
	if c := b.certifiers[cell.Noise]; c != nil {
		return c, nil
	}
	setting, ok := b.run.Setting(cell.Noise)
	if !ok {
		return nil, fmt.Errorf("make the noise %q: the run lacks it", cell.Noise)
	}
	noise, err := b.noise(ctx, setting)
	if err != nil {
		return nil, fmt.Errorf("make the noise %q: %w", cell.Noise, err)
	}
	statistics, err := statistics(b.model.Statistics).Share(int64(cell.Inputs))
	if err != nil {
		return nil, err
	}
	c, _, err := b.Certifier(ctx, workbench.Certification{Noise: noise, Statistics: statistics, Seed: b.run.Seed, Version: b.executor.config.Version})
	if err != nil {
		return nil, fmt.Errorf("make the certifier of %s × %s × %s: %w", cell.Model, cell.Dataset, cell.Noise, err)
	}
	b.certifiers[cell.Noise] = c
	return c, nil
}

func (b *bench) noise(ctx context.Context, s *spec.Setting) (workbench.Noise, error) {
	n := workbench.Noise{Sigma: s.Sigma, Lambda: s.Lambda, NPG: s.NPG}
	var err [3]error
	n.Family, err[0] = family.New(s.Family, s.Params)
	n.Norm, err[1] = family.ParseNorm(s.Norm)
	n.Arithmetic, err[2] = smooth.ParseArithmetic(s.Arithmetic)
	if joined := errors.Join(err[:]...); joined != nil {
		return n, joined
	}
	var paths []string
	for _, item := range s.Files {
		path, holdErr := b.hold(ctx, item)
		if holdErr != nil {
			return n, holdErr
		}
		paths = append(paths, path)
	}
	if len(paths) > 0 {
		n.NPG = strings.Join(paths, ",")
	}
	return n, nil
}

// statistics are the run's as the workbench takes them; they were checked when the run was planned.
func statistics(s spec.Statistics) workbench.Statistics {
	o := workbench.Statistics{N0: s.N0, N: s.N, Alpha: s.Alpha, Joint: s.Joint, LabelAware: s.LabelAware, Grid: s.Grid}
	if bound, err := smooth.ParseBound(s.Bound); err == nil {
		o.Bound = bound
	}
	if profile, err := sequential.ParseProfile(s.Adaptive); err == nil {
		profile = profile.WithCap(s.N)
		o.Profile = &profile
	}
	return o
}

// writeEmptyYAML makes a declaration that declares nothing, to be read in place of one that lies beside a model: what a
// run declares was settled when it was planned.
func writeEmptyYAML(folder string) (string, error) {
	path := filepath.Join(folder, "none.model.yaml")
	return path, os.WriteFile(path, []byte("{}\n"), 0o600)
}
