package models

import (
	"fmt"
	"strings"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// network is a graph reduced to what the classifier needs: one data input, one
// output, nothing else. It is what remains to be smoothed.
type network struct {
	m        *onnx.Model
	input    onnx.ValueInfo
	output   string
	outType  onnx.DType // Undefined where nothing tells it
	outShape []onnx.Dim
	outRank  int // unknown where it is not declared
	decision declare.Decision
	ending   *onnxpb.NodeProto // what makes the output's values; nil for an input
	// labelSource is what a label is the index in; nil where that is not known.
	labelSource *rewrite.LabelSource
}

// selectNetwork reduces a model to one input and one output, as declared or, where that is
// beyond doubt, as inferred. Findings go to r.
func selectNetwork(m *onnx.Model, d Declaration, r *Report) (*network, error) {
	m, err := withOperators(m)
	if err != nil {
		return nil, err
	}
	s := &network{m: m, outRank: rewrite.Open}
	if err = s.selectOutput(d, r); err != nil {
		return nil, err
	}
	// Only what the output depends on counts from here on.
	if s.m, err = s.m.WithOutputs(s.output); err != nil {
		return nil, err
	}
	if s.m, err = s.m.WithoutDead(); err != nil {
		return nil, err
	}
	if err = s.fix(d.Input.Fix, r); err != nil {
		return nil, err
	}
	if err = s.selectInput(d, r); err != nil {
		return nil, err
	}
	return s, nil
}

// withOperators imports the default operators into a file of ai.onnx.ml alone: preparing adds some.
func withOperators(m *onnx.Model) (*onnx.Model, error) {
	const version = 17
	if m.Opset("") > 0 {
		return m, nil
	}
	return m.Edit(func(p *onnxpb.ModelProto) error {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Version: proto.Int64(version)})
		return nil
	})
}

// list names values for messages.
func list(infos []onnx.ValueInfo) string {
	parts := make([]string, len(infos))
	for i, v := range infos {
		parts[i] = v.String()
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// explainLabel says what a label is decided on.
func (s *network) explainLabel(r *Report) {
	if l := s.labelSource; l != nil {
		r.add(kindFound, fmt.Sprintf("the label is the index that %s finds in %q: rows with NaN or a tie there give no vote", l.Node, l.Values), "")
		return
	}
	maker := "the input"
	if s.ending != nil {
		maker = onnx.Describe(s.ending)
	}
	r.add(kindWarning, fmt.Sprintf("the label is taken as %s makes it, so rows whose scores are NaN or tie do vote", maker),
		"--output NAME --decision argmax, with the tensor of scores")
}
