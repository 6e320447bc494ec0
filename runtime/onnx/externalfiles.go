package onnx

import (
	"slices"

	"ucan/runtime/onnx/onnxpb"
)

// ExternalFiles returns the files that hold the model's external data, as the model names them
// (relative to its own folder), sorted and each once. Whether they exist, and stay in the folder,
// [Model.LoadExternal] checks.
func (m *Model) ExternalFiles() []string {
	var out []string
	_ = eachTensor(m.p.Graph, func(t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
		if isExternal(t) {
			for _, e := range t.GetExternalData() {
				if e.GetKey() == "location" {
					out = append(out, e.GetValue())
				}
			}
		}
		return t, nil
	})
	slices.Sort(out)
	return slices.Compact(out)
}
