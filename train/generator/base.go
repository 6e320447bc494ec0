package generator

import (
	"context"
	"errors"
	"fmt"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// BaseOf takes an opened classifier, whose weights stay as they are. It fails for a classifier that
// gives labels only.
func BaseOf(m *models.Model) (Base, error) {
	graph, err := scoring(m)
	if err != nil {
		return Base{}, fmt.Errorf("take %s as base classifier: %w", m.Name(), err)
	}
	return Base{Graph: graph, Input: models.GraphInput, Scores: models.GraphScores, Head: headOf(m)}, nil
}

// JointBaseOf is [BaseOf] for a classifier whose float32 weights are trained along, at rate times
// the learning rate: every one that [autodiff.Trainable] lists, those in nodes of constants made
// initialisers first, those with two dimensions or more with weight decay. Batch normalisations
// stay the affine maps they are.
func JointBaseOf(ctx context.Context, eng autodiff.Engine, m *models.Model, rate float64) (Base, error) {
	base, err := BaseOf(m)
	if err != nil {
		return Base{}, err
	}
	if base.Graph, err = autodiff.WithWeights(ctx, eng, base.Graph); err != nil {
		return Base{}, fmt.Errorf("train %s jointly: %w", m.Name(), err)
	}
	for _, name := range autodiff.Trainable(base.Graph) {
		if t := base.Graph.Initializer(name); onnx.TensorType(t) == onnx.Float {
			base.Weights = append(base.Weights, Weight{Name: name, Decay: len(t.GetDims()) >= 2, Rate: rate})
		}
	}
	if len(base.Weights) == 0 {
		return Base{}, fmt.Errorf("train %s jointly: it has no float32 weights that a gradient can move; leave --joint out", m.Name())
	}
	return base, nil
}

// scoring is the prepared graph without the decision, in the opset that step graphs are made of.
func scoring(m *models.Model) (*onnx.Model, error) {
	graph := m.Graph()
	if _, ok := graph.Output(models.GraphScores); !ok {
		return nil, errors.New("it gives labels and no scores; take a model that returns logits")
	}
	graph, err := graph.WithOutputs(models.GraphScores)
	if err == nil {
		graph, err = graph.WithoutDead()
	}
	if err != nil {
		return nil, err
	}
	return graph.WithOpset(max(opset, graph.Opset("")))
}

// headOf says what the scores of a classifier are.
func headOf(m *models.Model) Head {
	switch d := m.Decision(); {
	case d.Kind == declare.Threshold:
		return Binary
	case d.Kind == declare.Argmin:
		return Negative
	case m.Report().Ending == "Softmax":
		return Probabilities
	}
	return Logits
}
