package models

import (
	"errors"
	"fmt"

	"ucan/runtime/library"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/onnx/soundness"
)

// Refusal is the error for a model, or a pair of model and data, that cannot be
// smoothed soundly, or not without a choice that only the user can make. Match it
// with errors.As.
type Refusal = soundness.Refusal

// fault is what certain versions of onnxruntime are known to compute wrongly, or not to
// check.
type fault struct {
	from, below string // the versions: from ≤ version < below
	affects     func(n *onnxpb.NodeProto) bool
	what        string // completes "onnxruntime 1.27.0 …"
}

// knownFaults is the table of versions and operators that are refused together. An
// entry needs evidence: a model that shows the fault, or the project's own word.
// Versions below library.Oldest are refused before; their entries hold should that
// bound ever fall.
func knownFaults() []fault {
	return []fault{
		{
			// onnxruntime's issue 28557: a random forest's scores sum to 0. Seen with
			// 1.26.0 and 1.27.0; 1.25.1 and 1.28.0 to 1.32.0 are right.
			from: "1.26.0", below: "1.28.0", affects: binaryTrees,
			what: "computes tree ensembles of two classes wrongly",
		},
		{
			// onnxruntime's changes 32552 and 32557, in 1.31.0: before, sizes that do
			// not fit together are not noticed, and memory beyond a tensor is read.
			from: "0.0.0", below: "1.31.0", affects: func(n *onnxpb.NodeProto) bool { return n.GetDomain() == "com.microsoft.nchwc" },
			what: "does not check the shapes of its internal operators, which no exporter writes",
		},
	}
}

// binaryTrees reports a tree ensemble with at most two classes or targets.
func binaryTrees(n *onnxpb.NodeProto) bool {
	if n.GetDomain() != "ai.onnx.ml" {
		return false
	}
	switch n.GetOpType() {
	case "TreeEnsembleClassifier":
		classes := len(onnx.AttrInts(n, "classlabels_int64s"))
		for _, a := range n.GetAttribute() {
			if a.GetName() == "classlabels_strings" {
				classes = max(classes, len(a.GetStrings()))
			}
		}
		return classes <= 2
	case "TreeEnsembleRegressor", "TreeEnsemble":
		return onnx.AttrInt(n, "n_targets", 1) <= 2
	}
	return false
}

// checkFaults refuses a model with operators that this version of onnxruntime is known
// to get wrong.
func checkFaults(version string, m *onnx.Model) error {
	for _, f := range knownFaults() {
		if !library.Within(version, f.from, f.below) {
			continue
		}
		var nodes []string
		err := m.Walk(func(s onnx.Site) {
			if s.Function == nil && f.affects(s.Node) {
				nodes = append(nodes, onnx.Describe(s.Node))
			}
		})
		if err != nil && !errors.Is(err, onnx.ErrUnresolved) { // what is unresolved is refused by soundness.Check
			return err
		}
		if len(nodes) > 0 {
			return soundness.Refuse(fmt.Sprintf("onnxruntime %s %s", version, f.what),
				fmt.Sprintf("use version %s or newer (`ucan runtime install`)", f.below), nodes...)
		}
	}
	return nil
}
