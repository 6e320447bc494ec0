// Package perinput makes bundles of noise fields that were optimised for each input of a data set (package npg/perinput):
// one after another, each kept as soon as it is done, so that an interrupted run loses one input at most and a resumed one
// ends with the same bytes.
package perinput

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/models"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/perinput"
	"ucan/runtime"
	"ucan/runtime/files"
	"ucan/runtime/processor"
	"ucan/smooth"
	"ucan/train"
	"ucan/train/checkpoint"
	"ucan/train/data"
	"ucan/train/generator"
)

// ErrConfig marks settings that cannot be used, an output that exists among them.
var ErrConfig = errors.New("wrong settings")

// Config says how a bundle is made.
type Config struct {
	// Field says how each field is optimised.
	Field perinput.Config
	// Dir is the bundle's folder; Resume goes on with what it holds.
	Dir    string
	Resume bool
	// Batch is the number of noisy copies that the classifier runs on at once, ≥ 1, and Session how it is run.
	Batch   int
	Session runtime.SessionOptions
	// Progress is told the number of fields that are done; nil for nobody.
	Progress func(done, total int)
	// Record is kept in the bundle's training record besides what the package writes.
	Record map[string]any
	// Processor is the kind of processor that optimises (processor.Processor), "" for unknown; it is stored with each field.
	Processor string
}

// Result is what a run left behind.
type Result struct {
	Bundle *bundle.Bundle
	// Certifiable is the number of inputs for which some isotropic noise gave a certificate, of Inputs in all.
	Inputs, Certifiable int
	// Gain is the geometric mean, over the certifiable inputs, of the estimated certified ALM over that of the isotropic
	// start, where the latter is positive; 1 for none.
	Gain float64
	// OtherProcessors are the kinds of processor, other than Config.Processor, that stored fields were taken over from.
	OtherProcessors []string
	// Report is the diagnosis of the bundle.
	Report diagnose.Report
}

// kept is the stored result of one input.
type kept struct {
	// Settings is the digest of everything that the field depends on besides the input.
	Settings string          `json:"settings"`
	Result   perinput.Result `json:"result"`
	// Processor is the kind that made it, "" where unknown.
	Processor string `json:"processor,omitempty"`
}

// Run optimises a field for every input of the set and writes the bundle. Errors match [ErrConfig], and
// autodiff.ErrNotDifferentiable for a classifier without gradients.
func Run(ctx context.Context, rt *runtime.Runtime, model *models.Model, set *data.Set, c Config) (_ Result, err error) {
	if err = c.Field.Validate(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if !c.Resume {
		for _, name := range []string{bundle.ManifestName, train.CheckpointDir} {
			if _, serr := os.Lstat(filepath.Join(c.Dir, name)); serr == nil {
				return Result{}, fmt.Errorf("%w: the folder %q holds a run already; pass --resume to go on with it, or name another", ErrConfig, c.Dir)
			}
		}
	}
	folder := filepath.Join(c.Dir, train.CheckpointDir)
	if err = os.MkdirAll(folder, 0o777); err != nil {
		return Result{}, fmt.Errorf("make the bundle: %w", err)
	}
	release, err := checkpoint.Lock(folder)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	network, err := open(ctx, rt, model, c)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	r := run{config: c, model: model, set: set, network: network, folder: folder}
	if r.settings, err = r.digest(); err != nil {
		return Result{}, err
	}
	if err = atomicfile.WriteLockedBytes(filepath.Join(folder, seedFile), []byte(strconv.FormatUint(c.Field.Seed, 10)+"\n")); err != nil {
		return Result{}, err
	}
	fields, results, err := r.fields(ctx)
	if err != nil {
		return Result{}, err
	}
	return r.conclude(ctx, fields, results)
}

// seedFile keeps the seed of a run beside its fields.
const seedFile = "seed"

// StoredSeed returns the seed of the run in a bundle's folder; ok is false when there is none.
func StoredSeed(dir string) (seed uint64, ok bool) {
	text, err := files.Read(filepath.Join(dir, train.CheckpointDir, seedFile), files.MaxRecord)
	if err != nil {
		return 0, false
	}
	seed, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return seed, err == nil
}

// open makes the network whose gradients are followed.
func open(ctx context.Context, rt *runtime.Runtime, model *models.Model, c Config) (*perinput.Network, error) {
	base, err := generator.BaseOf(model, false, 1)
	if err != nil {
		return nil, err
	}
	if base.Head != generator.Logits && base.Head != generator.Probabilities {
		return nil, fmt.Errorf("optimise noise for %s: its decision is %s; it takes a model that answers with the largest of several scores", model.Name(), model.Decision())
	}
	batch := c.Batch
	if fixed := model.FixedBatch(); fixed > 0 {
		batch = fixed
	}
	return perinput.OpenNetwork(ctx, rt, perinput.Base{
		Graph: base.Graph, Input: base.Input, Output: base.Scores, Softmax: base.Head == generator.Logits, Batch: batch, Session: c.Session,
	})
}

// run is one call of Run.
type run struct {
	config   Config
	model    *models.Model
	set      *data.Set
	network  *perinput.Network
	folder   string
	settings string
	others   []string // kinds of processor, other than this one, of fields taken over
}

// record is what the bundle keeps of how it came about. It holds no path and no time.
func (r *run) record() map[string]any {
	f := r.config.Field
	out := map[string]any{
		"model": r.model.Name(), "model_sha256": r.model.SHA256(), "data": r.set.Info().Name, "inputs": r.set.Len(),
		"method": "ANCER (arXiv 2107.04570) from the best isotropic scale", "noise": f.Family.Name(), "parameters": f.Family.Params(),
		"lambda": f.Lambda, "norm": f.Norm.String(), "search_low": f.Low, "search_high": f.High, "search_scales": f.GridSize,
		"votes": f.Votes, "alpha": f.Alpha, "iterations": f.Iterations, "samples": f.Samples, "learning_rate": f.LearningRate,
		"kappa": f.Kappa, "seed": strconv.FormatUint(f.Seed, 10), "batch": r.config.Batch, "threads": r.config.Session.IntraOp,
	}
	for k, v := range r.config.Record {
		out[k] = v
	}
	return out
}

// digest hashes what fields depend on, so that a resumed run takes over none that was made otherwise.
func (r *run) digest() (string, error) {
	f := r.config.Field
	named := r.record()
	delete(named, "inputs")
	delete(named, "data")
	named["floor"], named["ceiling"] = f.Limits.Floor, strconv.FormatFloat(f.Limits.Ceiling, 'g', -1, 64)
	if f.Basis != nil {
		named["basis"] = f.Basis.Name()
	}
	text, err := json.Marshal(named)
	if err != nil {
		return "", fmt.Errorf("make the bundle: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// fields optimises what is not stored yet. Of equal inputs one is kept.
func (r *run) fields(ctx context.Context) ([]bundle.Input, []perinput.Result, error) {
	var fields []bundle.Input
	var results []perinput.Result
	seen := map[[32]byte]bool{}
	for i := range r.set.Len() {
		x := make([]float32, r.set.Dim())
		r.set.Read(i, x)
		id := smooth.InputID(x)
		if !seen[id] {
			result, err := r.field(ctx, x, id)
			if err != nil {
				return nil, nil, fmt.Errorf("optimise the noise of input %d: %w", r.set.Index(i), err)
			}
			fields, results = append(fields, bundle.Input{SHA256: id, Sigma: result.Sigma}), append(results, result)
			seen[id] = true
		}
		if r.config.Progress != nil {
			r.config.Progress(i+1, r.set.Len())
		}
	}
	return fields, results, nil
}

// maxKept is the most bytes of one stored field.
const maxKept = 1 << 30

// field returns the stored field of an input, or makes and stores it.
func (r *run) field(ctx context.Context, x []float32, id [32]byte) (perinput.Result, error) {
	path := filepath.Join(r.folder, hex.EncodeToString(id[:])+".json")
	text, err := files.Read(path, maxKept)
	if err == nil {
		var k kept
		if json.Unmarshal(text, &k) == nil && k.Settings == r.settings && len(k.Result.Sigma) == len(x) {
			if processor.Changed(k.Processor, r.config.Processor) && !slices.Contains(r.others, k.Processor) {
				r.others = append(r.others, k.Processor)
			}
			return k.Result, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return perinput.Result{}, err
	}
	result, err := perinput.Optimise(ctx, r.network, x, id, r.config.Field)
	if err != nil {
		return perinput.Result{}, err
	}
	if text, err = json.Marshal(kept{r.settings, result, r.config.Processor}); err != nil {
		return perinput.Result{}, err
	}
	return result, atomicfile.WriteLockedBytes(path, text)
}

// conclude examines the fields and writes the bundle.
func (r *run) conclude(ctx context.Context, fields []bundle.Input, results []perinput.Result) (Result, error) {
	out := Result{Inputs: len(results), Gain: 1, OtherProcessors: r.others}
	logs, counted := 0.0, 0
	for _, one := range results {
		if one.Certifiable {
			out.Certifiable++
		}
		if one.StartALM > 0 {
			logs += math.Log(one.ALM / one.StartALM)
			counted++
		}
	}
	if counted > 0 {
		out.Gain = math.Exp(logs / float64(counted))
	}
	b := &bundle.Bundle{
		Kind: bundle.PerInput, Shape: r.model.InputShape(), Limits: r.config.Field.Limits, FixedMean: true, MuScale: 0,
		Inputs: fields, Training: r.record(),
	}
	if r.config.Field.Basis != nil {
		b.Basis = r.config.Field.Basis.Name()
	}
	b.Training["certifiable"], b.Training["alm_gain_estimate"] = out.Certifiable, out.Gain
	report, err := r.diagnose(ctx, b)
	if err != nil {
		return Result{}, fmt.Errorf("examine the fields: %w", err)
	}
	for _, d := range report.Diagnoses {
		text := d.Text
		if d.Knob != "" {
			text += "; " + d.Knob
		}
		b.Diagnoses = append(b.Diagnoses, bundle.Diagnosis{Name: d.Name, Value: d.Value, Threshold: d.Threshold, Found: d.Found, Text: text})
	}
	out.Bundle, out.Report = b, report
	return out, bundle.Write(r.config.Dir, b)
}

// examined is the largest number of inputs that the diagnosis looks at.
const examined = 200

// diagnose examines the bundle with the classifier it was made for.
func (r *run) diagnose(ctx context.Context, b *bundle.Bundle) (_ diagnose.Report, err error) {
	g, err := b.Stored()
	if err != nil {
		return diagnose.Report{}, err
	}
	const batch = 16 // a swapped image is a run of its own, of as many rows
	size := batch
	if fixed := r.model.FixedBatch(); fixed > 0 {
		size = fixed
	}
	classifier, err := r.model.Classifier(ctx, size, 1)
	if err != nil {
		return diagnose.Report{}, err
	}
	defer func() { err = errors.Join(err, classifier.Close()) }()
	f := r.config.Field
	sampler, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: r.model.Dim(), Classes: r.model.Classes(), Seed: f.Seed})
	if err != nil {
		return diagnose.Report{}, err
	}
	var inputs []diagnose.Input
	for i := range min(r.set.Len(), examined) {
		x := make([]float32, r.set.Dim())
		r.set.Read(i, x)
		inputs = append(inputs, diagnose.Input{X: x, ID: smooth.InputID(x), Label: r.set.Label(i)})
	}
	options := diagnose.DefaultOptions()
	options.Seed = f.Seed
	ceiling := f.Limits.Ceiling
	if math.IsInf(ceiling, 0) {
		ceiling = 0
	}
	return diagnose.Run(ctx, diagnose.Subject{
		Generator: g, Sampler: sampler, Noise: smooth.Noise{Family: f.Family, Norm: f.Norm, Lambda: f.Lambda},
		Floor: f.Limits.Floor, Ceiling: ceiling,
	}, inputs, options)
}
