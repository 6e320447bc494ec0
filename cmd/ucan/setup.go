package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/models"
	"ucan/npg"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/family"
)

// workbench is a model on its sessions beside the data that it is to classify.
type workbench struct {
	rt      *runtime.Runtime
	model   *models.Model
	source  *dataset.Source
	info    dataset.Info
	indices []int
	setting models.Setting
	workers []smooth.Classifier
	forced  string // why the clean check was overridden, "" when it was not needed
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
	source, err := dataset.Open(ctx, o.spec, options)
	if errors.Is(err, dataset.ErrSpec) {
		return nil, nil, usage(err)
	}
	if err != nil {
		return nil, nil, err
	}
	a.onClose(source.Close)
	indices, err := o.selection.Indices(source.Len())
	if err != nil {
		return nil, nil, usage(err)
	}
	return source, indices, nil
}

// openWorkbench opens runtime, data and model, in this order, and makes the sessions. stored is the plan of the run
// that is resumed, nil for a new one: what can change a result's last bits is chosen once.
func (a *app) openWorkbench(ctx context.Context, path string, declared models.Declaration, so sessionOptions, do dataOptions, stored *models.Setting) (*workbench, error) {
	rt, err := runtime.Open(ctx, so.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	effective, _, err := models.ResolveDeclaration(path, models.Options{Declared: declared})
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	source, indices, err := a.openData(ctx, do, effective)
	if err != nil {
		return nil, err
	}
	w := &workbench{rt: rt, source: source, info: source.Info(), indices: indices}
	w.model, err = models.Open(ctx, rt, path, models.Options{
		Declared: declared, SourceShape: w.info.Shape,
		Session:  so.options(),
		CacheDir: cacheFolder(),
	})
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(w.model.Close)
	for _, f := range w.model.Report().Findings {
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
func (w *workbench) openSessions(ctx context.Context, a *app, so sessionOptions, stored *models.Setting) error {
	var err error
	switch {
	case stored != nil:
		w.setting = *stored
		if so.workers > 0 {
			w.setting.Workers = so.workers
		}
	default:
		if w.setting, err = w.choose(ctx, so); err != nil {
			return usage(err)
		}
	}
	classifiers, err := w.model.Classifiers(ctx, w.setting.Workers, w.setting.Batch, w.setting.IntraOp)
	if err != nil {
		return err
	}
	for _, f := range classifiers[0].Fallbacks() {
		a.warn("runs on %s, not %s: %s", classifiers[0].Provider(), f.Provider, f.Reason)
	}
	for _, c := range classifiers {
		a.onClose(c.Close)
		w.workers = append(w.workers, c)
	}
	return nil
}

// choose settles how the model is run. The number of workers never moves another part of the setting, so that runs with
// different numbers give the same bits; and a model whose scores depend on the batch gets a batch by rule, not by
// measurement, so that two machines agree.
func (w *workbench) choose(ctx context.Context, so sessionOptions) (models.Setting, error) {
	threads := so.threads
	if threads == 0 {
		threads = max(runtime.CPUCount(), so.workers)
	}
	probe := w.model.Report().Probe
	fixedRule := so.batch == 0 && w.model.FixedBatch() == 0 && probe != nil && !probe.BatchIndependent
	if so.workers == 0 && !fixedRule {
		return w.model.Calibrate(ctx, models.Wanted{Threads: threads, Batch: so.batch})
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
		return models.Setting{Batch: batchByRule(w.model.Dim()), Workers: workers, IntraOp: intra}, nil
	}
	setting, err := w.model.Calibrate(ctx, models.Wanted{Threads: intra, Workers: 1, Batch: so.batch})
	setting.Workers, setting.IntraOp = workers, intra
	return setting, err
}

// batchByRule fills about two megabytes with inputs, within 4 to 128 rows: near the best of every model measured.
func batchByRule(dim int) int {
	const values = 512 << 10
	batch := 128
	for batch > 4 && batch*dim > values {
		batch /= 2
	}
	return batch
}

// cacheFolder is where measured settings and models known to load are kept, "" when there is no such place.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ucan")
}

// smoother makes the smoothed classifier of the workbench.
func (w *workbench) smoother(seed uint64) (*smooth.Smoother, error) {
	return smooth.New(w.workers, smooth.Config{Dim: w.model.Dim(), Classes: w.model.Classes(), Seed: seed})
}

// checkedSource refuses labels that the model has no class for, input by input.
type checkedSource struct {
	*dataset.Source
	name    string
	classes int
}

// At reads an input; a label outside the classes is a fault of that input alone.
func (s checkedSource) At(ctx context.Context, i int) (dataset.Item, error) {
	item, err := s.Source.At(ctx, i)
	if err == nil && item.Label >= s.classes {
		return item, &dataset.ItemError{Source: s.name, Index: i, Err: fmt.Errorf("its label is %d, outside the model's %d classes; give a label map, or leave the input out", item.Label, s.classes)}
	}
	return item, err
}

func (w *workbench) inputs() checkedSource {
	return checkedSource{Source: w.source, name: w.info.Name, classes: w.model.Classes()}
}

// checkedInputs is how many labelled inputs the clean check classifies.
const checkedInputs = 200

// checkClean classifies the first labelled inputs of the source without noise and refuses a model that cannot tell
// them apart: a certificate for it would be worthless, and the cause is mostly a wrong scale, layout or label order.
func (w *workbench) checkClean(ctx context.Context, a *app, force bool) error {
	var labels, predictions []int
	classifier := w.workers[0]
	for i := 0; i < w.source.Len() && len(labels) < checkedInputs; i++ {
		item, err := w.inputs().At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return err
		}
		if item.Label < 0 {
			if len(labels) == 0 && i >= checkedInputs {
				break // a source without labels
			}
			continue
		}
		copy(classifier.Input(), item.X)
		votes, err := classifier.Classify(ctx, 1)
		if err != nil {
			return err
		}
		labels, predictions = append(labels, item.Label), append(predictions, int(votes[0]))
	}
	verdict, err := dataset.CheckClean(labels, predictions, w.model.Classes())
	if err != nil || verdict.OK() {
		return err
	}
	if force {
		a.warn("%s; going on all the same, as --force asks", verdict)
		w.forced = verdict.String()
		return nil
	}
	return refusef("check %s on clean inputs of %s: %s; correct it, or pass --force to go on all the same", w.model.Name(), w.info.Name, verdict)
}

// noiseMaker builds the noise that the options describe, for inputs of the workbench.
func (w *workbench) noiseMaker(ctx context.Context, o noiseOptions) (*pipeline.NoiseMaker, *certificate.NPG, error) {
	dim := w.model.Dim()
	noise, err := family.ForDim(o.family, dim)
	if err != nil {
		return nil, nil, usage(err)
	}
	lambda := o.lambda
	if lambda == 0 {
		if lambda, err = smooth.LambdaFor(noise, dim, o.sigma); err != nil {
			return nil, nil, usage(err)
		}
	}
	maker := &pipeline.NoiseMaker{Family: noise, Norm: o.norm, Lambda: lambda, Arithmetic: o.arithmetic, Dim: dim}
	var record *certificate.NPG
	switch {
	case o.npg != "":
		parameters, spec, err := generate(ctx, o.npg, w.info.Shape)
		if err != nil {
			return nil, nil, err
		}
		maker.Generator = npg.NewField(parameters)
		record = &certificate.NPG{Kind: "pattern", Spec: spec}
	case o.sigmaField != "" || o.muField != "":
		sigma, err := readField(ctx, o.sigmaField, w.info.Shape)
		if err != nil {
			return nil, nil, err
		}
		mu, err := readField(ctx, o.muField, w.info.Shape)
		if err != nil {
			return nil, nil, err
		}
		parameters, err := npg.Seal(dim, mu, sigma)
		if err != nil {
			return nil, nil, usagef("read the noise fields: %w", err)
		}
		maker.Generator = npg.NewField(parameters)
	}
	return maker, record, nil
}

// generate evaluates the generator spec for inputs of the shape and returns the spec with its defaults filled in.
func generate(_ context.Context, spec string, shape []int) (npg.Parameters, string, error) {
	if !strings.HasPrefix(spec, "pattern:") {
		return npg.Parameters{}, "", usagef("read --npg: %q is no generator; use pattern:l1|l2|linf,kappa=…,iota=…", spec)
	}
	pattern, err := npg.ParsePattern(spec)
	if err != nil {
		return npg.Parameters{}, "", usagef("read --npg: %w", err)
	}
	parameters, err := pattern.Field(shape)
	if err != nil {
		return npg.Parameters{}, "", usagef("read --npg: %w", err)
	}
	return parameters, pattern.String(), nil
}

// readField reads a .npy field in the source's shape; "" gives nil.
func readField(ctx context.Context, path string, shape []int) ([]float32, error) {
	if path == "" {
		return nil, nil
	}
	values, got, err := dataset.ReadField(ctx, path)
	if err != nil {
		return nil, usagef("read the noise field %q: %w", path, err)
	}
	if !slices.Equal(got, shape) {
		return nil, usagef("read the noise field %q: its shape is %v and the inputs' %v; store one value a coordinate, in the source's layout", path, got, shape)
	}
	return values, nil
}

// modelRecord is the model as certificates name it.
func (w *workbench) modelRecord() (certificate.Model, error) {
	preprocessing, err := json.Marshal(w.model.Preprocessing())
	if err != nil {
		return certificate.Model{}, fmt.Errorf("record the preprocessing: %w", err)
	}
	record := certificate.Model{
		Name: w.model.Name(), SHA256: w.model.SHA256(), Preprocessing: preprocessing,
		Decision: w.model.Decision().String(), Classes: w.model.Classes(),
	}
	if hash := w.model.Preprocessing().Denoiser; hash != "" {
		record.Denoiser = &certificate.File{Name: filepath.Base(w.model.Report().Denoiser), SHA256: hash}
	}
	return record, nil
}

// environment is what a run records without comparing it on resume.
func (w *workbench) environment() map[string]any {
	return map[string]any{
		"ucan": buildVersion(), "onnxruntime": w.rt.Version(), "provider": w.model.Provider(),
		"platform": goruntime.GOOS + "/" + goruntime.GOARCH, "setting": w.setting,
	}
}

// describeNoise is the noise as runs record and compare it.
func describeNoise(maker *pipeline.NoiseMaker, o noiseOptions) map[string]any {
	return map[string]any{
		"family": maker.Family.Name(), "parameters": maker.Family.Params(), "norm": maker.Norm.String(),
		"lambda": maker.Lambda, "npg": o.npg, "arithmetic": maker.Arithmetic,
	}
}

// hashes are the digests that a resumed run must have in common with the first; maker is nil without noise.
func (w *workbench) hashes(ctx context.Context, maker *pipeline.NoiseMaker) map[string]string {
	hashes := map[string]string{"model": w.model.SHA256(), "source": w.info.Fingerprint}
	if maker == nil || maker.Guarantee() != certificate.Deployed {
		return hashes
	}
	if sealed, err := maker.Seal(ctx, nil); err == nil {
		n := sealed.Noise()
		for name, field := range map[string][]float32{"mu_field": n.Mu, "sigma_field": n.Sigma} {
			if field != nil {
				hashes[name] = certificate.NewField(field).SHA256
			}
		}
	}
	return hashes
}

// seedNumber writes all 64 bits of a seed as a JSON number.
func seedNumber(seed uint64) json.Number { return json.Number(strconv.FormatUint(seed, 10)) }
