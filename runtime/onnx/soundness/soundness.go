// Package soundness finds what makes a graph no function of its input: operators that draw random
// numbers, normalisation and dropout in training mode, weights that are not numbers. The same
// check serves classifiers, denoisers and generators of noise parameters, however their files are
// given.
package soundness

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// findings are what a graph holds that makes its answer depend on chance or on training
// state. Package rows tells whether it depends on the other rows of a batch.
type findings struct {
	random   []string // operators that draw numbers
	training []string // normalisation or dropout in training mode
	unsure   []string // dropout whose mode is an input that is not constant
}

// oldestOpset is the oldest operator set that onnxruntime runs.
const oldestOpset = 7

// Check refuses a graph whose answer is no function of its input (a *[Refusal]). Hand it what will
// run: parts that no output depends on would count too. Whether rows of a batch are treated apart
// is another question.
func Check(m *onnx.Model) error {
	f, err := scan(m)
	if err != nil {
		return err
	}
	if err = f.refusal(); err != nil {
		return err
	}
	if v := m.Opset(""); v > 0 && v < oldestOpset {
		return Refuse(fmt.Sprintf("it is of opset %d, which onnxruntime does not run", v), "export it at opset 13 or newer")
	}
	return checkWeights(m)
}

// scan searches every node that can run: in the main graph, in subgraphs, and in
// the model's own functions, call by call, where an attribute of the call may decide. It
// fails where the file does not determine what runs.
func scan(m *onnx.Model) (findings, error) {
	var f findings
	err := m.Walk(func(s onnx.Site) {
		if s.Function == nil {
			f.node(s.Node, s.Opset(""), s.Constant)
		}
	})
	if errors.Is(err, onnx.ErrUnresolved) {
		return f, Refuse("what it computes cannot be told from the file ("+strings.TrimPrefix(err.Error(), "onnx: ")+")",
			"export it without local functions, or with each of them defined once")
	}
	return f, err
}

func (f *findings) node(n *onnxpb.NodeProto, opset int64, constant func(string) *onnxpb.TensorProto) {
	what := onnx.Describe(n)
	switch n.GetOpType() {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Sampling":
		f.random = append(f.random, what)
	case "BatchNormalization":
		outputs := 0
		for _, o := range n.GetOutput() {
			if o != "" {
				outputs++
			}
		}
		// Up to opset 6 the attribute is_test says it, and defaults to training; up
		// to 13 the further outputs do; from 14 on training_mode.
		if opset < 7 && onnx.AttrInt(n, "is_test", 0) == 0 ||
			opset >= 7 && opset < 14 && outputs > 1 ||
			opset >= 14 && onnx.AttrInt(n, "training_mode", 0) != 0 {
			f.training = append(f.training, what)
		}
	case "Dropout", "TrainableDropout", "BiasDropout", "BitmaskDropout", "BitmaskBiasDropout":
		f.dropout(n, what, opset, constant)
	}
}

// dropout: up to opset 6 is_test decides, between 7 and 11 Dropout is the identity,
// from 12 on an input does, false when it is left out.
func (f *findings) dropout(n *onnxpb.NodeProto, what string, opset int64, constant func(string) *onnxpb.TensorProto) {
	if onnx.NormalDomain(n.GetDomain()) == "" && opset < 7 {
		if onnx.AttrInt(n, "is_test", 0) == 0 {
			f.training = append(f.training, what)
		}
		return
	}
	at := 2
	switch n.GetOpType() {
	case "BiasDropout", "BitmaskBiasDropout":
		at = 4
	}
	if onnx.NormalDomain(n.GetDomain()) == "" && opset < 12 || onnx.InputOf(n, at) == "" {
		return
	}
	t := constant(onnx.InputOf(n, at))
	if t == nil {
		f.unsure = append(f.unsure, what)
		return
	}
	if mode, err := onnx.Int64s(t); err != nil || len(mode) != 1 || mode[0] != 0 {
		f.training = append(f.training, what)
	}
}

// refusal returns the reason to refuse the graph, or nil.
func (f findings) refusal() error {
	switch {
	case len(f.random) > 0:
		return Refuse("it draws random numbers of its own, so that its answer is not a function of the input",
			"export the model for inference, without its random operators", f.random...)
	case len(f.training) > 0:
		return Refuse("it is exported in training mode, so that its answer depends on the rest of the batch or on chance",
			"export it for inference (model.eval(), training=TrainingMode.EVAL)", f.training...)
	case len(f.unsure) > 0:
		return Refuse("an input decides whether dropout is in training mode",
			"fix that input to false with --fix NAME=false, or export for inference", f.unsure...)
	}
	return nil
}

// checkWeights refuses constants that are not numbers: NaN anywhere, and infinities
// where they take part in arithmetic. As a bound or a mask an infinity is sound.
func checkWeights(m *onnx.Model) error {
	constants, readers := map[string]*onnxpb.TensorProto{}, map[string][]*onnxpb.NodeProto{}
	for _, t := range m.Initializers() {
		constants[t.GetName()] = t
	}
	for _, n := range m.Nodes() {
		if t, err := onnx.ConstantValue(n); err == nil {
			constants[t.GetName()] = t
		}
		for _, u := range onnx.Uses(n) {
			readers[u] = append(readers[u], n)
		}
	}
	for _, value := range slices.Sorted(maps.Keys(constants)) {
		t := constants[value]
		nan, inf, minusOnly, err := notFinite(t)
		if err != nil {
			return fmt.Errorf("read the weights: %w", err)
		}
		name := fmt.Sprintf("constant %q", value)
		if nan {
			return Refuse("a weight is NaN", "export the model again from a checkpoint whose training did not diverge", name)
		}
		if !inf {
			continue
		}
		for _, n := range readers[value] {
			switch n.GetOpType() {
			case "Clip", "Where", "Max", "Min", "Pad", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal":
				continue
			case "Add", "Expand", "Slice", "Unsqueeze", "Concat", "Cast", "Gather", "Identity", "Reshape", "Trilu":
				if minusOnly { // an attention mask on its way
					continue
				}
			}
			return Refuse("a weight is infinite", "export the model again from a checkpoint whose training did not diverge",
				name+" read by "+onnx.Describe(n))
		}
	}
	return nil
}

// notFinite looks for NaN and infinities; minusOnly says that a tensor holds nothing
// but zeros and −Inf, as masks do.
func notFinite(t *onnxpb.TensorProto) (nan, inf, minusOnly bool, err error) {
	minusOnly = true
	switch onnx.TensorType(t) {
	case onnx.Double, onnx.Float, onnx.Float16:
	default:
		return false, false, false, nil
	}
	for values, err := range onnx.Blocks(t) {
		if err != nil {
			return false, false, false, err
		}
		for _, v := range values {
			nan = nan || v != v
			inf = inf || math.IsInf(v, 0)
			minusOnly = minusOnly && (v == 0 || math.IsInf(v, -1))
		}
	}
	return nan, inf, minusOnly, nil
}
