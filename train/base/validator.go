package base

import (
	"context"
	"errors"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/smooth"
	"ucan/train"
	"ucan/train/validate"
)

// Validator measures the present weights of an objective on held-out images, as the exported
// classifier would do.
type Validator struct {
	Runtime   *runtime.Runtime
	Objective *Objective
	// Images are the held-out inputs, of Dim values; Shape is theirs.
	Images validate.Images
	Shape  []int
	Noise  validate.Noise
	// Batch is how many samples a session classifies at once.
	Batch   int
	Options validate.Options
}

var _ train.Validator = (*Validator)(nil)

// Validate exports the classifier and measures it.
func (v *Validator) Validate(ctx context.Context) (_ train.Validation, err error) {
	m, err := v.Objective.Export()
	if err != nil {
		return train.Validation{}, err
	}
	c, err := v.open(ctx, m)
	if err != nil {
		return train.Validation{}, err
	}
	defer func() { err = errors.Join(err, c.session.Close()) }()
	o := v.Options
	o.Classes = v.Objective.classes
	return validate.Run(ctx, []smooth.Classifier{c}, v.Images, len(c.Input())/v.Batch, v.Noise, o)
}

// classifier runs an exported graph as a smooth.Classifier.
type classifier struct {
	session *runtime.FloatSession
	labels  []int32
	classes int
	one     single
}

var _ smooth.Classifier = (*classifier)(nil)

func (v *Validator) open(ctx context.Context, m *onnx.Model) (*classifier, error) {
	bytes, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	in, out := []int64{int64(v.Batch)}, []int64{int64(v.Batch), int64(v.Objective.classes)}
	one := v.Objective.net.one
	if one.is {
		out[1] = 1
	}
	for _, n := range v.Shape {
		in = append(in, int64(n))
	}
	options := v.Objective.config.Session
	options.Outputs = nil
	s, err := v.Runtime.NewFloatSession(ctx, bytes, options, func(_ runtime.IO, output bool) ([]int64, error) {
		if output {
			return out, nil
		}
		return in, nil
	})
	if err != nil {
		return nil, err
	}
	return &classifier{session: s, labels: make([]int32, v.Batch), classes: v.Objective.classes, one: one}, nil
}

// Input returns the batch to fill.
func (c *classifier) Input() []float32 { return c.session.In[0] }

// Classify returns the label of every row, smooth.NoVote where the largest logit is not alone.
func (c *classifier) Classify(ctx context.Context, rows int) ([]int32, error) {
	if err := c.session.Run(ctx); err != nil {
		return nil, err
	}
	logits := c.one.pairs(c.session.Out[0])
	for r := range rows {
		c.labels[r] = int32(runtime.Argmax(logits[r*c.classes : (r+1)*c.classes]))
	}
	return c.labels[:rows], nil
}
