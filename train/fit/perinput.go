package fit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"ucan/internal/atomicfile"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/npg/perinput"
	"ucan/runtime"
	"ucan/runtime/files"
	"ucan/runtime/processor"
	"ucan/smooth"
	"ucan/train"
	"ucan/train/data"
	"ucan/train/generator"
)

// PerInputConfig configures the optimisation of noise fields for each input of a data set.
type PerInputConfig struct {
	Run
	// Model is the classifier, Batch the number of noisy copies that it runs on at once, ≥ 1.
	Model *models.Model
	Batch int
	// Field configures how each field is optimised; its Seed is filled in.
	Field perinput.Config
}

// PerInputResult is what an optimisation left behind.
type PerInputResult struct {
	// Seed is the one that was used.
	Seed   uint64
	Bundle *bundle.Bundle
	// Certifiable is the number of inputs for which some isotropic noise gave a certificate, of
	// Inputs in all.
	Inputs, Certifiable int
	// Gain is the geometric mean, over the certifiable inputs, of the estimated certified ALM over
	// that of the isotropic start, where the latter is positive; 1 for none.
	Gain float64
	// OtherProcessors are the kinds of processor, other than Run.Processor, that stored fields were
	// taken over from.
	OtherProcessors []string
	// Report is the diagnosis of the bundle.
	Report diagnose.Report
}

// storedField is the stored result of one input.
type storedField struct {
	// Settings is the digest of everything that the field depends on besides the input.
	Settings string          `json:"settings"`
	Result   perinput.Result `json:"result"`
	// Processor is the kind that made it, "" where unknown.
	Processor string `json:"processor,omitempty"`
}

// fieldTraining is one call of PerInput.
type fieldTraining struct {
	PerInputConfig
	set      *data.Set
	network  *perinput.Network
	folder   string // of checkpoints
	settings string
	others   []string // kinds of processor, other than this one, of fields taken over
}

// PerInput optimises a field for every input and writes the bundle. Each field is kept as soon as
// it is done, so that an interrupted run loses one at most.
func PerInput(ctx context.Context, rt *runtime.Runtime, c PerInputConfig) (_ PerInputResult, err error) {
	defer func() { err = marked(err) }()
	if err = c.Field.Validate(); err != nil {
		return PerInputResult{}, fault.Mark(fault.Wrong, err)
	}
	t := &fieldTraining{PerInputConfig: c, folder: filepath.Join(c.Dir, train.CheckpointDir)}
	if _, err = t.begin(); err != nil {
		return PerInputResult{}, err
	}
	t.Field.Seed = *t.Seed
	if t.set, _, err = t.Data.load(ctx, t.Field.Seed, t.Observer); err != nil {
		return PerInputResult{}, err
	}
	if err = fits(t.Model, t.set); err != nil {
		return PerInputResult{}, err
	}
	release, err := t.lock()
	if err != nil {
		return PerInputResult{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if t.network, err = openNetwork(ctx, rt, t.PerInputConfig); err != nil {
		return PerInputResult{}, err
	}
	defer func() { err = errors.Join(err, t.network.Close()) }()
	if t.settings, err = t.digest(); err != nil {
		return PerInputResult{}, err
	}
	if err = atomicfile.WriteLockedBytes(filepath.Join(t.folder, seedFile), []byte(strconv.FormatUint(t.Field.Seed, 10)+"\n")); err != nil {
		return PerInputResult{}, err
	}
	fields, results, err := t.fields(ctx)
	if err != nil {
		return PerInputResult{}, err
	}
	return t.write(ctx, fields, results)
}

// openNetwork makes the network whose gradients are followed.
func openNetwork(ctx context.Context, rt *runtime.Runtime, c PerInputConfig) (*perinput.Network, error) {
	base, err := generator.BaseOf(c.Model)
	if err != nil {
		return nil, err
	}
	if base.Head != generator.Logits && base.Head != generator.Probabilities {
		return nil, fmt.Errorf("optimise noise for %s: its decision is %s; it takes a model that answers with the largest of several scores", c.Model.Name(), c.Model.Decision())
	}
	batch := c.Batch
	if fixed := c.Model.FixedBatch(); fixed > 0 {
		batch = fixed
	}
	return perinput.OpenNetwork(ctx, rt, perinput.Base{
		Graph: base.Graph, Input: base.Input, Output: base.Scores, Softmax: base.Head == generator.Logits, Batch: batch, Session: c.Session,
	})
}

// record is the training record of the bundle.
func (t *fieldTraining) record() map[string]any {
	f := t.Field
	return describe(t.Model, t.set, t.noise(), map[string]any{
		"method": "ANCER (arXiv 2107.04570) from the best isotropic scale", "search_low": f.Low, "search_high": f.High,
		"search_scales": f.GridSize, "votes": f.Votes, "alpha": f.Alpha, "iterations": f.Iterations, "samples": f.Samples,
		"learning_rate": f.LearningRate, "kappa": f.Kappa, "seed": strconv.FormatUint(f.Seed, 10), "batch": t.Batch,
		"threads": t.Session.IntraOp,
	})
}

func (t *fieldTraining) noise() smooth.Noise {
	return smooth.Noise{Family: t.Field.Family, Norm: t.Field.Norm, Lambda: t.Field.Lambda}
}

// digest hashes what fields depend on, so that a resumed run takes over none that was made
// otherwise.
func (t *fieldTraining) digest() (string, error) {
	f := t.Field
	named := t.record()
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
func (t *fieldTraining) fields(ctx context.Context) ([]bundle.Input, []perinput.Result, error) {
	var fields []bundle.Input
	var results []perinput.Result
	seen := map[[32]byte]bool{}
	for i := range t.set.Len() {
		x := make([]float32, t.set.Dim())
		t.set.Read(i, x)
		id := smooth.InputID(x)
		if !seen[id] {
			result, err := t.field(ctx, x, id)
			if err != nil {
				return nil, nil, fmt.Errorf("optimise the noise of input %d: %w", t.set.Index(i), err)
			}
			fields, results = append(fields, bundle.Input{SHA256: id, Sigma: result.Sigma}), append(results, result)
			seen[id] = true
		}
		if t.Observer.Field != nil {
			t.Observer.Field(i+1, t.set.Len())
		}
	}
	return fields, results, nil
}

// maxStored is the most bytes of one stored field.
const maxStored = 1 << 30

// field returns the stored field of an input, or makes and stores it.
func (t *fieldTraining) field(ctx context.Context, x []float32, id [32]byte) (perinput.Result, error) {
	path := filepath.Join(t.folder, hex.EncodeToString(id[:])+".json")
	text, err := files.Read(path, maxStored)
	if err == nil {
		var k storedField
		if json.Unmarshal(text, &k) == nil && k.Settings == t.settings && len(k.Result.Sigma) == len(x) {
			if processor.Changed(k.Processor, t.Processor) && !slices.Contains(t.others, k.Processor) {
				t.others = append(t.others, k.Processor)
			}
			return k.Result, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return perinput.Result{}, err
	}
	result, err := perinput.Optimise(ctx, t.network, x, id, t.Field)
	if err != nil {
		return perinput.Result{}, err
	}
	if text, err = json.Marshal(storedField{t.settings, result, t.Processor}); err != nil {
		return perinput.Result{}, err
	}
	return result, atomicfile.WriteLockedBytes(path, text)
}

// write examines the fields and writes the bundle.
func (t *fieldTraining) write(ctx context.Context, fields []bundle.Input, results []perinput.Result) (PerInputResult, error) {
	out := PerInputResult{Seed: t.Field.Seed, Inputs: len(results), Gain: 1, OtherProcessors: t.others}
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
		Kind: npg.KindPerInput, Shape: t.Model.InputShape(), Limits: t.Field.Limits, FixedMean: true, MuScale: 0,
		Inputs: fields, Training: t.record(),
	}
	if t.Field.Basis != nil {
		b.Basis = t.Field.Basis.Name()
	}
	b.Training["certifiable"], b.Training["alm_gain_estimate"] = out.Certifiable, out.Gain
	e := examination{model: t.Model, batch: 16, threads: 1, set: t.set, inputs: 200, noise: t.noise(), seed: t.Field.Seed, ceiling: t.Field.Limits.Ceiling}
	if math.IsInf(e.ceiling, 0) {
		e.ceiling = 0
	}
	var err error
	if e.generator, err = b.Stored(); err != nil {
		return out, err
	}
	if out.Report, err = e.examine(ctx, b); err != nil {
		return out, err
	}
	out.Bundle = b
	return out, bundle.Write(t.Dir, b)
}
