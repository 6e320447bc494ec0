package generator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"ucan/npg"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/smooth/family"
	"ucan/smooth/stream"
	"ucan/train"
	"ucan/train/validate"
)

// ValidatorConfig configures the validation on held-out inputs.
type ValidatorConfig struct {
	// Images are the held-out inputs, at least one.
	Images validate.Images
	// Family, Lambda and Norm are the noise and the theorem.
	Family family.Isotropic
	Lambda float64
	Norm   family.Norm
	// Draws is the number of noisy copies of each input.
	Draws int
	// Radii are where the curve of certified accuracy against ALM is taken.
	Radii []float64
	// Seed keys the noise, which is the same for every validation.
	Seed uint64
}

// Validator estimates on held-out inputs what a certification would say. The estimate of p_A is (k
// + ½)/(n + 1), not a bound: it serves to compare weights, and proves nothing.
type Validator struct {
	objective *Objective
	config    ValidatorConfig
	noisy     *session // generator, noise and classifier
	clean     *session // classifier alone
}

var _ train.Validator = (*Validator)(nil)

// NewValidator opens what is needed to validate the present weights of an objective, in memory for
// one input at a time. Close it before the objective.
func NewValidator(ctx context.Context, rt *runtime.Runtime, o *Objective, j ValidatorConfig) (_ *Validator, err error) {
	if j.Images == nil || j.Images.Len() < 1 || j.Draws < 1 {
		return nil, errors.New("validate a generator: there are no inputs, or no draws")
	}
	v := &Validator{objective: o, config: j}
	defer func() {
		if err != nil {
			err = fmt.Errorf("validate a generator: %w", errors.Join(err, v.Close()))
		}
	}()
	c := o.config
	c.Rows, c.Draws = 1, j.Draws
	graph, err := forwardGraph(c)
	if err != nil {
		return nil, err
	}
	if v.noisy, err = openSession(ctx, rt, graph, o.weights(), c.Threads); err != nil {
		return nil, err
	}
	graph, err = cleanGraph(c)
	if err != nil {
		return nil, err
	}
	v.clean, err = openSession(ctx, rt, graph, o.baseWeights(), c.Threads)
	return v, err
}

// cleanGraph is the classifier alone at batch 1, under the names of the step graph.
func cleanGraph(c Config) (*onnx.Model, error) {
	base := c.Base.Graph.Prefixed(basePrefix)
	base, err := base.WithBatch(onnx.Fixed(1))
	if err != nil {
		return nil, err
	}
	classes, err := c.Base.Classes()
	if err != nil {
		return nil, err
	}
	b := onnx.Extend(base)
	z := c.Base.Logits(b.Scope("ucan.head"), base, b.Value(basePrefix+c.Base.Scores))
	b.ClearOutputs()
	b.Output(logitOutput, b.Identity(z), onnx.Float, onnx.Fixed(1), onnx.Fixed(classes))
	return b.Build()
}

// Validate measures the present weights. Score is the mean over the inputs of the estimated ALM
// radius, 0 for those whose leading class is not the label.
func (v *Validator) Validate(ctx context.Context) (train.Validation, error) {
	j := v.config
	d := npg.Dim(v.objective.config.Shape)
	x := make([]float32, d)
	certified := make([]float64, len(j.Radii))
	var out train.Validation
	var scales float64
	noise := v.noisy.Input(noiseInput)
	for i := range j.Images.Len() {
		j.Images.Read(i, x)
		copy(v.clean.Input(basePrefix+v.objective.config.Base.Input), x)
		copy(v.noisy.Input("x"), x)
		key := stream.New(j.Seed, validationKey(i), stream.Train)
		for k := range j.Draws {
			source := key.Source(uint64(k))
			row := noise[k*d : (k+1)*d]
			j.Family.Sample(row, &source)
			for e := range row {
				row[e] *= float32(j.Lambda)
			}
		}
		if err := errors.Join(v.clean.run(ctx, v.objective), v.noisy.run(ctx, v.objective)); err != nil {
			return out, fmt.Errorf("validate a generator: %w", err)
		}
		label := []int64{int64(j.Images.Label(i))}
		out.Clean += train.CorrectShare(v.clean.Output(logitOutput), label, 1, v.objective.classes)
		share := train.CorrectShare(v.noisy.Output(logitOutput), label, j.Draws, v.objective.classes)
		out.Noisy += share
		scale := fieldFigures(v.noisy.Output(sigmaOutput), 1).geometric
		scales += math.Log(scale)
		alm, err := j.radius(share, d)
		if err != nil {
			return out, fmt.Errorf("validate a generator: %w", err)
		}
		alm *= scale
		out.Score += alm
		for r, at := range j.Radii {
			if alm > 0 && alm >= at {
				certified[r]++
			}
		}
	}
	n := float64(j.Images.Len())
	out.Clean, out.Noisy, out.Score = out.Clean/n, out.Noisy/n, out.Score/n
	for r, at := range j.Radii {
		out.Curve = append(out.Curve, train.CertifiedAt{Radius: at, Accuracy: certified[r] / n})
	}
	out.Extra = []train.Figure{{Name: figureGeo, Value: math.Exp(scales / n)}}
	return out, nil
}

// radius is the family's radius at the estimated probability.
func (j ValidatorConfig) radius(share float64, dim int) (float64, error) {
	n := float64(j.Draws)
	r, err := j.Family.Radius(j.Norm, dim, (share*n+0.5)/(n+1))
	return r * j.Lambda, err
}

// validationKey keeps the noise of validations apart from that of steps.
func validationKey(i int) [32]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("ucan validation "), uint64(i)))
}

// Close releases the sessions. Further calls do nothing.
func (v *Validator) Close() error {
	var errs []error
	for _, s := range []*session{v.noisy, v.clean} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// baseWeights are those of the classifier under the names of the step graph.
func (o *Objective) baseWeights() []Weight { return o.weights()[len(o.config.Weights):] }
