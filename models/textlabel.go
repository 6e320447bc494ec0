package models

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// numberTexts returns a copy of a model whose text labels are the numbers of the classes that they
// name, so that its own label can be compared with what its scores say; false where a text names no
// class.
func numberTexts(m *onnx.Model, names []string) (*onnx.Model, bool) {
	known := true
	number := func(texts [][]byte) []int64 {
		numbers := make([]int64, len(texts))
		for i, text := range texts {
			class := slices.Index(names, string(text))
			known = known && class >= 0
			numbers[i] = int64(class)
		}
		return numbers
	}
	numbered, err := m.Edit(func(p *onnxpb.ModelProto) error {
		for i, t := range p.Graph.Initializer {
			if onnx.TensorType(t) != onnx.String {
				continue
			}
			table, err := onnx.NewTensor(t.GetName(), t.GetDims(), number(t.GetStringData()))
			if err != nil {
				return err
			}
			p.Graph.Initializer[i] = table
		}
		for _, n := range p.Graph.Node {
			for _, a := range n.GetAttribute() {
				switch {
				case a.GetName() == "classlabels_strings" && len(a.GetStrings()) > 0:
					a.Name, a.Type = proto.String(intLabels(n.GetOpType())), onnxpb.AttributeProto_INTS.Enum()
					a.Ints, a.Strings = number(a.GetStrings()), nil
				case n.GetOpType() == "Cast" && a.GetName() == "to" && onnx.DType(a.GetI()) == onnx.String:
					a.I = proto.Int64(int64(onnx.Int64))
				}
			}
		}
		for _, v := range slices.Concat(p.Graph.Output, p.Graph.ValueInfo) {
			if t := v.GetType().GetTensorType(); t != nil && onnx.DType(t.GetElemType()) == onnx.String {
				t.ElemType = proto.Int32(int32(onnx.Int64))
			}
		}
		return nil
	})
	return numbered, err == nil && known
}

// intLabels is the attribute in which an operator of ai.onnx.ml holds integer labels.
func intLabels(operator string) string {
	if operator == "LinearClassifier" || operator == "SVMClassifier" {
		return "classlabels_ints"
	}
	return "classlabels_int64s"
}
