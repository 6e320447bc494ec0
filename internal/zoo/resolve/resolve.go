// Package resolve turns a zoo.yaml into a run: it hashes models, data and generators, looks at
// every pair of model and data, and sets apart what cannot be certified soundly, with the reason.
package resolve

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// Options say how models are looked at.
type Options struct {
	// CacheDir is the folder of models that are known to load; "" for none.
	CacheDir string
	// Note is told what is being looked at; nil for nobody.
	Note func(format string, args ...any)
}

// resolver holds what is under way.
type resolver struct {
	rt   *runtime.Runtime
	zoo  *matrix.Zoo
	opts Options
	run  *matrix.Run
	data []*source
}

// Resolve makes the run of a zoo. Every model is looked at on the CPU, whatever provider it will
// run on. Faults of data sources are errors that match matrix.ErrFaulty; models that cannot be
// smoothed, and pairs that do not fit, become refusals.
func Resolve(ctx context.Context, rt *runtime.Runtime, zoo *matrix.Zoo, o Options) (run *matrix.Run, err error) {
	if o.Note == nil {
		o.Note = func(string, ...any) {}
	}
	r := &resolver{rt: rt, zoo: zoo, opts: o, run: &matrix.Run{Schema: matrix.RunSchema, ShardSize: zoo.ShardSize}}
	defer func() {
		for _, s := range r.data {
			for _, open := range s.open {
				err = errors.Join(err, open.Close())
			}
		}
	}()
	if err := r.datasets(ctx); err != nil {
		return nil, err
	}
	if err := r.noise(ctx); err != nil {
		return nil, err
	}
	for _, m := range zoo.Models {
		if err := r.model(ctx, m); err != nil {
			return nil, err
		}
	}
	return r.finish()
}

// finish sorts the run, settles its seed and names it.
func (r *resolver) finish() (*matrix.Run, error) {
	run := r.run
	slices.SortFunc(run.Models, func(a, b matrix.Model) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(run.Datasets, func(a, b matrix.Dataset) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(run.Noise, func(a, b matrix.Setting) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(run.Cells, func(a, b matrix.Cell) int {
		return strings.Compare(a.Model+"\x00"+a.Dataset+"\x00"+a.Noise, b.Model+"\x00"+b.Dataset+"\x00"+b.Noise)
	})
	slices.SortFunc(run.Refusals, func(a, b matrix.Refusal) int {
		return strings.Compare(a.Model+"\x00"+a.Dataset+"\x00"+a.Noise, b.Model+"\x00"+b.Dataset+"\x00"+b.Noise)
	})
	if r.zoo.Seed != nil {
		run.Seed = *r.zoo.Seed
	} else {
		id, err := run.Identity() // with the seed 0
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte("ucan.zoo.seed/1\n" + id))
		run.Seed = binary.LittleEndian.Uint64(sum[:])
	}
	var err error
	run.ID, err = run.Identity()
	return run, err
}

// noise describes the files of generators.
func (r *resolver) noise(ctx context.Context) error {
	for _, setting := range r.zoo.Noise {
		for _, path := range setting.GeneratorPaths() {
			item, err := artifact.Describe(ctx, path, nil, bundleFile)
			if err != nil {
				return err
			}
			setting.Files = append(setting.Files, item)
		}
		r.run.Noise = append(r.run.Noise, setting)
	}
	return nil
}

// bundleFile tells what belongs to a bundle from what its training left beside it.
func bundleFile(name string) bool {
	switch {
	case strings.HasPrefix(name, "checkpoint/"):
		return false
	case name == "npg.yaml":
		return true
	}
	ext := filepath.Ext(name)
	return ext == ".onnx" || ext == ".npy" || ext == ".data"
}

// refuse sets a combination apart.
func (r *resolver) refuse(model, data, noise string, reason error) {
	text := strings.Join(strings.Fields(reason.Error()), " ")
	r.run.Refusals = append(r.run.Refusals, matrix.Refusal{Model: model, Dataset: data, Noise: noise, Reason: text})
}

// model looks at one model with every data source.
func (r *resolver) model(ctx context.Context, entry matrix.ModelEntry) error {
	wanted := slices.ContainsFunc(r.data, func(s *source) bool { return r.wanted(entry.Name, s.set.Name) })
	if !wanted {
		return nil
	}
	r.opts.Note("looking at %s", entry.Name)
	m := matrix.Model{Name: entry.Name, Statistics: entry.Statistics, Runtime: entry.Runtime, Limits: entry.Limits}
	declared, _, err := declare.Resolve(entry.File, entry.Declared)
	if err == nil {
		err = describeModel(ctx, &m, entry.File, declared)
	}
	if err == nil {
		_, err = models.Inspect(ctx, entry.File, models.Options{Declared: entry.Declared})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.refuse(entry.Name, "", "", short(err))
		return nil
	}
	kept := false
	for _, s := range r.data {
		if !r.wanted(entry.Name, s.set.Name) {
			continue
		}
		ok, err := r.pair(ctx, &m, entry, s)
		if err != nil {
			return err
		}
		kept = kept || ok
	}
	if kept {
		m.Declaration.Denoiser = ""
		r.run.Models = append(r.run.Models, m)
	}
	return nil
}

// wanted says whether any noise setting of a pair is to run.
func (r *resolver) wanted(model, data string) bool {
	return slices.ContainsFunc(r.zoo.Noise, func(s matrix.Setting) bool { return !r.zoo.Skipped(model, data, s.Name) })
}

// describeModel hashes a model's files.
func describeModel(ctx context.Context, m *matrix.Model, file string, declared models.Declaration) error {
	m.Declaration = declared
	graph, err := onnx.Read(file)
	if err != nil {
		return fmt.Errorf("%s: read model: %w", filepath.Base(file), err)
	}
	if m.File, err = artifact.Describe(ctx, file, graph.ExternalFiles(), nil); err != nil {
		return err
	}
	if declared.Denoiser != "" {
		item, err := artifact.Describe(ctx, declare.DenoiserPath(declared.Denoiser), nil, nil)
		if err != nil {
			return err
		}
		m.Denoiser = &item
	}
	return nil
}

// pair looks at one model with one data source and adds its cells. ok is false when it was refused.
func (r *resolver) pair(ctx context.Context, m *matrix.Model, entry matrix.ModelEntry, s *source) (ok bool, err error) {
	b, err := r.open(ctx, entry, s)
	if err != nil {
		return false, r.judge(ctx, entry.Name, s.set.Name, "", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if m.SHA256 == "" {
		m.SHA256 = b.Model.SHA256()
	}
	if m.SHA256 != b.Model.SHA256() {
		return false, fmt.Errorf("model %q: %w: it changed while it was looked at; plan again", entry.Name, artifact.ErrMismatch)
	}
	base := matrix.Cell{Model: entry.Name, Dataset: s.set.Name, Batch: batch(b.Model, entry.Runtime)}
	if fixed := b.Model.FixedBatch(); fixed > 0 && entry.Runtime.Batch > 0 && entry.Runtime.Batch != fixed {
		r.refuse(entry.Name, s.set.Name, "", fmt.Errorf("the model runs at batch %d only, and runtime.batch asks for %d; leave batch out", fixed, entry.Runtime.Batch))
		return false, nil
	}
	verdict, err := b.CheckClean(ctx)
	if err != nil {
		return false, r.judge(ctx, entry.Name, s.set.Name, "", err)
	}
	if !verdict.OK() {
		if !entry.Statistics.Force {
			r.refuse(entry.Name, s.set.Name, "", fmt.Errorf("on clean inputs: %s; correct it, or set force to go on all the same", verdict))
			return false, nil
		}
		base.Forced = verdict.String()
	}
	base.Inputs = len(b.Indices)
	return r.settings(ctx, b, base, entry)
}

// batch settles the physical batch of a model.
func batch(m *models.Model, o matrix.Runtime) int {
	switch {
	case m.FixedBatch() > 0:
		return m.FixedBatch()
	case o.Batch > 0:
		return o.Batch
	}
	return certify.BatchByRule(m.Dim())
}

// settings adds a cell for each noise setting that fits the pair.
func (r *resolver) settings(ctx context.Context, b *certify.Setup, base matrix.Cell, entry matrix.ModelEntry) (ok bool, err error) {
	for _, setting := range r.zoo.Noise {
		if r.zoo.Skipped(base.Model, base.Dataset, setting.Name) {
			continue
		}
		c := base
		c.Noise = setting.Name
		if err := r.try(ctx, b, &setting, entry.Statistics, c.Inputs); err != nil {
			if err = r.judge(ctx, c.Model, c.Dataset, c.Noise, err); err != nil {
				return ok, err
			}
			continue
		}
		r.run.Cells = append(r.run.Cells, c)
		ok = true
	}
	return ok, nil
}

// try makes the noise of a setting for a pair, as a worker will.
func (r *resolver) try(ctx context.Context, b *certify.Setup, setting *matrix.Setting, s matrix.Statistics, inputs int) (err error) {
	noise, err := cell.Noise(setting)
	if err != nil {
		return err
	}
	statistics, err := cell.Statistics(s, inputs)
	if err != nil {
		return err
	}
	maker, err := b.NoiseSource(ctx, noise)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, maker.Close()) }()
	if warning := b.DenoiserWarning(ctx, maker); warning != "" {
		r.opts.Note("warning: %s under %s: %s", b.Model.Name(), setting.Name, warning)
	}
	item, err := firstUsable(ctx, b)
	if err != nil {
		return err
	}
	sealed, err := maker.Seal(ctx, item.X)
	if err != nil || statistics.Profile != nil {
		return err
	}
	reach, err := sealed.MaxRadius(statistics.N, statistics.Alpha)
	if err == nil && reach == 0 {
		err = fmt.Errorf("%s can certify nothing; raise n", statistics)
	}
	return err
}

// firstUsable is the first input of a source that can be read.
func firstUsable(ctx context.Context, b *certify.Setup) (item dataset.Item, err error) {
	for i := range min(b.Source.Len(), 100) {
		var bad *dataset.ItemError
		if item, err = b.Inputs().At(ctx, i); !errors.As(err, &bad) {
			return item, err
		}
	}
	return item, err
}

// open makes the setup of a pair on the CPU, at the batch of the clean check.
func (r *resolver) open(ctx context.Context, entry matrix.ModelEntry, s *source) (*certify.Setup, error) {
	setup, err := certify.Open(ctx, certify.Request{
		Runtime: r.rt, Model: entry.File,
		Options: models.Options{
			Declared: entry.Declared, CacheDir: r.opts.CacheDir,
			Session: runtime.SessionOptions{Providers: []runtime.Provider{{Name: runtime.CPU}}, IntraOp: 1, RunLimit: entry.Limits.Span()},
		},
		Data: s.at, DataOptions: s.options(), Selection: s.selection(),
		Setting: func(_ context.Context, m *models.Model) (models.Setting, error) {
			const checkBatch = 8
			batch := m.FixedBatch()
			if batch == 0 {
				batch = min(checkBatch, certify.BatchByRule(m.Dim()))
			}
			return models.Setting{Batch: batch, Workers: 1, IntraOp: runtime.CPUCount()}, nil
		},
	})
	if err != nil {
		return nil, err
	}
	for _, note := range setup.Notes {
		r.opts.Note("%s × %s: %s", filepath.Base(entry.File), setup.Info.Name, note)
	}
	return setup, nil
}

// judge turns an error about a combination into a refusal; only an interruption, or a fault of this
// machine, ends the planning.
func (r *resolver) judge(ctx context.Context, model, data, noise string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, runtime.ErrProvider), errors.Is(err, runtime.ErrClosed):
		return fmt.Errorf("look at %s × %s: %w", model, data, err)
	}
	r.refuse(model, data, noise, short(err))
	return nil
}

// short drops what a list of refusals says already.
func short(err error) error {
	var refusal *models.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	var model *certify.ModelError
	if errors.As(err, &model) {
		return model.Err
	}
	return err
}
