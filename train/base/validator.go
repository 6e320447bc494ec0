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

// Validator measures the present weights of an objective on held-out images, as the exported classifier would do.
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
	c, err := newClassifier(ctx, v.Runtime, m, v.Shape, v.Batch, v.Objective.classes, v.Objective.config.Session)
	if err != nil {
		return train.Validation{}, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	o := v.Options
	o.Classes = v.Objective.classes
	return validate.Run(ctx, []smooth.Classifier{c}, v.Images, len(c.input)/v.Batch, v.Noise, o)
}

// classifier runs an exported graph as a smooth.Classifier.
type classifier struct {
	session *runtime.Session
	tensors []*runtime.Tensor
	input   []float32
	logits  []float32
	labels  []int32
	classes int
}

var _ smooth.Classifier = (*classifier)(nil)

func newClassifier(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, shape []int, batch, classes int, so runtime.SessionOptions) (_ *classifier, err error) {
	bytes, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	dims, dim := []int64{int64(batch)}, 1
	for _, n := range shape {
		dims, dim = append(dims, int64(n)), dim*n
	}
	c := &classifier{
		input: make([]float32, batch*dim), logits: make([]float32, batch*classes), labels: make([]int32, batch), classes: classes,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	so.Outputs = nil
	if c.session, err = rt.NewSession(ctx, bytes, so); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		dims []int64
		data []float32
	}{{dims, c.input}, {[]int64{int64(batch), int64(classes)}, c.logits}} {
		tensor, err := runtime.NewTensor(rt, t.dims, t.data)
		if err != nil {
			return nil, err
		}
		c.tensors = append(c.tensors, tensor)
	}
	return c, nil
}

// Input returns the batch to fill.
func (c *classifier) Input() []float32 { return c.input }

// Classify returns the label of every row, smooth.NoVote where the largest logit is not alone.
func (c *classifier) Classify(ctx context.Context, rows int) ([]int32, error) {
	if err := c.session.Run(ctx, c.tensors[:1], c.tensors[1:]); err != nil {
		return nil, err
	}
	for r := range rows {
		c.labels[r] = int32(top(c.logits[r*c.classes : (r+1)*c.classes]))
	}
	return c.labels[:rows], nil
}

// top is the index of the only largest value, −1 where there is none: a NaN, or two that are equal.
func top(v []float32) int {
	best, unique := 0, true
	for i, x := range v {
		switch {
		case x != x:
			return -1
		case i == 0:
		case x > v[best]:
			best, unique = i, true
		case x == v[best]:
			unique = false
		}
	}
	if !unique {
		return -1
	}
	return best
}

func (c *classifier) close() error {
	err := c.session.Close()
	for _, t := range c.tensors {
		err = errors.Join(err, t.Close())
	}
	return err
}
