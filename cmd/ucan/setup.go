package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/workbench"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// bench is a model on its sessions beside the inputs that were selected.
type bench struct {
	workbench.Bench
	indices []int
	rows    *models.RowCheck // what trial batches showed; nil before them
}

// openSource opens a source until the command ends, and says what it leaves out.
func (a *app) openSource(ctx context.Context, spec string, options dataset.Options) (*dataset.Source, error) {
	source, err := dataset.Open(ctx, spec, options)
	if err != nil {
		return nil, err
	}
	a.onClose(source.Close)
	for _, note := range source.Info().Notes {
		a.warn("%s: %s", source.Info().Name, note)
	}
	return source, nil
}

// openData opens the source and settles which inputs are read. Resizing that model.yaml declares is done here, in the
// source, so that certificates speak of the tensor after it.
func (a *app) openData(ctx context.Context, o dataOptions, declared models.Declaration) (*dataset.Source, []int, error) {
	options := o.options
	if options.Resize == 0 {
		options.Resize = declared.Input.Resize
	}
	if options.Crop == 0 {
		options.Crop = declared.Input.Crop
	}
	source, err := a.openSource(ctx, o.spec, options)
	if errors.Is(err, dataset.ErrSpec) {
		return nil, nil, usage(err)
	}
	if err != nil {
		return nil, nil, err
	}
	indices, err := o.selection.Indices(source.Len())
	if err != nil {
		return nil, nil, usage(err)
	}
	return source, indices, nil
}

// openWorkbench opens runtime, data and model, in this order, and makes the sessions. stored is the plan of the run
// that is resumed, nil for a new one: what can change a result's last bits is chosen once.
func (a *app) openWorkbench(ctx context.Context, path string, declared models.Declaration, so sessionOptions, do dataOptions, stored *models.Setting) (*bench, error) {
	rt, err := runtime.Open(ctx, so.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	effective, _, err := declare.Resolve(path, declared)
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	source, indices, err := a.openData(ctx, do, effective)
	if err != nil {
		return nil, err
	}
	w := &bench{Bench: workbench.Bench{Runtime: rt, Source: source, Info: source.Info(), Session: so.options()}, indices: indices}
	w.Model, err = models.Open(ctx, rt, path, models.Options{
		Declared: declared, SourceShape: w.Info.Shape,
		Session:  so.options(),
		CacheDir: cacheFolder(),
	})
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(w.Model.Close)
	for _, f := range w.Model.Report().Findings {
		if f.Kind == "guessed" || f.Kind == "warning" {
			a.note("%s: %s%s", filepath.Base(path), f.Text, hint(f.Flag))
		}
	}
	return w, w.openSessions(ctx, a, so, stored)
}

func hint(flag string) string {
	if flag == "" {
		return ""
	}
	return " (change it with " + flag + ")"
}

// openSessions makes one classifier for each worker.
func (w *bench) openSessions(ctx context.Context, a *app, so sessionOptions, stored *models.Setting) error {
	var err error
	switch {
	case stored != nil:
		w.Setting = *stored
		if so.workers > 0 {
			w.Setting.Workers = so.workers
		}
	default:
		if w.Setting, err = w.choose(ctx, so); err != nil {
			return usage(err)
		}
	}
	classifiers, err := w.Model.Classifiers(ctx, w.Setting.Workers, w.Setting.Batch, w.Setting.IntraOp)
	if err != nil {
		return err
	}
	for _, f := range classifiers[0].Fallbacks() {
		a.warn("runs on %s, not %s: %s", classifiers[0].Provider(), f.Provider, f.Reason)
	}
	for _, c := range classifiers {
		a.onClose(c.Close)
		w.Workers = append(w.Workers, c)
	}
	return nil
}

// choose settles how the model is run. The number of workers never moves another part of the setting, so that runs with
// different numbers give the same bits; and a model whose scores depend on the batch gets a batch by rule, not by
// measurement, so that two machines agree.
func (w *bench) choose(ctx context.Context, so sessionOptions) (models.Setting, error) {
	threads := so.threads
	if threads == 0 {
		threads = max(runtime.CPUCount(), so.workers)
	}
	probe := w.Model.Report().Probe
	fixedRule := so.batch == 0 && w.Model.FixedBatch() == 0 && probe != nil && !probe.BatchIndependent
	if so.workers == 0 && !fixedRule {
		return w.Model.Calibrate(ctx, models.Wanted{Threads: threads, Batch: so.batch})
	}
	workers := so.workers
	if workers == 0 {
		workers = threads
	}
	intra := 1
	if so.threads > 0 {
		intra = max(1, so.threads/workers)
	}
	if fixedRule {
		return models.Setting{Batch: workbench.BatchByRule(w.Model.Dim()), Workers: workers, IntraOp: intra}, nil
	}
	setting, err := w.Model.Calibrate(ctx, models.Wanted{Threads: intra, Workers: 1, Batch: so.batch})
	setting.Workers, setting.IntraOp = workers, intra
	return setting, err
}

// cacheFolder is where measured settings and models known to load are kept, "" when there is no such place.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ucan")
}

// checkClean refuses a model that cannot tell clean inputs apart, or, where force is set, records that.
func (w *bench) checkClean(ctx context.Context, a *app, force bool) error {
	verdict, err := w.CheckClean(ctx)
	for _, warning := range verdict.Warnings {
		a.warn("%s", warning)
	}
	if err != nil || verdict.OK() {
		return err
	}
	if force {
		a.warn("%s; going on all the same, as --force asks", verdict)
		w.Forced = verdict.String()
		return nil
	}
	return refusef("check %s on clean inputs of %s: %s; correct it, or pass --force to go on all the same", w.Model.Name(), w.Info.Name, verdict)
}

// warnOfOutputs says what looks wrong in the model's outputs; predictions claim nothing, so none is refused.
func (w *bench) warnOfOutputs(ctx context.Context, a *app) error {
	verdict, err := w.CheckClean(ctx)
	if verdict.Verdict == dataset.CleanFaulty {
		a.warn("%s", verdict.Cause)
	}
	for _, warning := range verdict.Warnings {
		a.warn("%s", warning)
	}
	return err
}

// environment is what a run records without comparing it on resume.
func (w *bench) environment(a *app) map[string]any {
	e := map[string]any{
		"ucan": buildVersion(), "onnxruntime": w.Runtime.Version(), "provider": w.Model.Provider(),
		"platform": goruntime.GOOS + "/" + goruntime.GOARCH, cpuKey: a.processor, "setting": w.Setting,
	}
	if w.rows != nil {
		e["rows_checked"] = w.rows
	}
	return e
}

// describeData is the data as runs record and compare them, beside their fingerprint: what images are resized to is no
// property of the files, and does not show in the shape where they are cropped too.
func (w *bench) describeData(configuration map[string]any) {
	configuration["source"], configuration["shape"] = w.Info.Name, w.Info.Shape
	if w.Info.Resize > 0 {
		configuration["resize"] = w.Info.Resize
	}
	if w.Info.Crop > 0 {
		configuration["crop"] = w.Info.Crop
	}
}

// describeNoise is the noise as runs record and compare it: the generator by what certificates say of it, without any
// path.
func describeNoise(maker *pipeline.NoiseMaker) map[string]any {
	spec := ""
	if maker.NPG != nil {
		spec = maker.NPG.Spec
	}
	return map[string]any{
		"family": maker.Family.Name(), "parameters": maker.Family.Params(), "norm": maker.Norm.String(),
		"lambda": maker.Lambda, "npg": spec, "arithmetic": maker.Arithmetic,
	}
}

// hashes are the digests that a resumed run must have in common with the first; maker is nil without noise.
func (w *bench) hashes(ctx context.Context, maker *pipeline.NoiseMaker) map[string]string {
	hashes := map[string]string{"model": w.Model.SHA256(), "source": w.Info.Fingerprint}
	if maker != nil && maker.NPG != nil {
		for i, f := range maker.NPG.Files {
			name := "npg:" + f.Name
			if _, taken := hashes[name]; taken { // a file of μ and one of σ may bear one name, in two folders
				name = fmt.Sprintf("npg:%d:%s", i, f.Name)
			}
			hashes[name] = f.SHA256
		}
	}
	if maker == nil || maker.Guarantee() != smooth.Deployed {
		return hashes
	}
	if sealed, err := maker.Seal(ctx, nil); err == nil {
		n := sealed.Noise()
		for name, field := range map[string][]float32{"mu_field": n.Mu(), "sigma_field": n.Sigma()} {
			if field != nil {
				hashes[name] = certificate.NewField(field).SHA256
			}
		}
	}
	return hashes
}

// seedNumber writes all 64 bits of a seed as a JSON number.
func seedNumber(seed uint64) json.Number { return json.Number(strconv.FormatUint(seed, 10)) }
