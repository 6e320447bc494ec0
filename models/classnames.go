package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// maxNames bounds the text that is read as a list of class names.
const maxNames = 1 << 20

// classNames finds the names of the classes in the file, in the order of the scores; nil where it
// has none, or numbers them 0, 1, 2, ….
func (p *plan) classNames() []string {
	if p.decision.Kind == declare.Label {
		return nil // a label is its own number
	}
	k := p.report.Classes
	names := p.namesOfNodes()
	if names == nil {
		names = namesInMetadata(p.file.m)
	}
	if len(names) < 2 || k > 0 && len(names) != k || isCount(names) {
		return nil
	}
	return names
}

// isCount reports whether the names are 0, 1, 2, ….
func isCount(names []string) bool {
	for i, name := range names {
		if name != strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// namesOfNodes reads the names that a converter of classical classifiers left: with the node that
// makes the scores, with a ZipMap behind them, in the table in which the label is looked up, or
// with the only classifier, whatever is computed of its scores.
func (p *plan) namesOfNodes() []string {
	if p.ending != nil {
		if scores := scoresMaker(rewrite.NewIndex(p.m), p.ending); hasClassLabels(scores) {
			return classLabels(scores)
		}
	}
	index := rewrite.NewIndex(p.file.m) // with the outputs that the decision does not need
	var maps, tables, classifiers [][]string
	for _, n := range p.file.m.Nodes() {
		switch n.GetOpType() {
		case "ZipMap":
			maps = append(maps, classLabels(n))
		case "SVMClassifier", "LinearClassifier", "TreeEnsembleClassifier":
			classifiers = append(classifiers, classLabels(n)) // its scores are computed on
		case "ArrayFeatureExtractor":
			if chosen := index.Ending(onnx.InputOf(n, 1)); chosen != nil && chosen.GetOpType() == "ArgMax" {
				tables = append(tables, tableNames(index.Constant(onnx.InputOf(n, 0))))
			}
		}
	}
	for _, found := range [][][]string{maps, tables, classifiers} {
		if len(found) == 1 { // of several, which one names the classes is not known
			return found[0]
		}
	}
	return nil
}

// scoresMaker follows the ending back over normalisations to the node that makes the scores.
func scoresMaker(index *rewrite.Index, n *onnxpb.NodeProto) *onnxpb.NodeProto {
	for range 8 {
		if n == nil || !slices.Contains([]string{"Softmax", "LogSoftmax", "Sigmoid", "Normalizer"}, n.GetOpType()) {
			break
		}
		n = index.Ending(onnx.InputOf(n, 0))
	}
	return n
}

func hasClassLabels(n *onnxpb.NodeProto) bool {
	return slices.ContainsFunc(n.GetAttribute(), func(a *onnxpb.AttributeProto) bool {
		return strings.HasPrefix(a.GetName(), "classlabels_")
	})
}

// classLabels reads the labels of a node of ai.onnx.ml.
func classLabels(n *onnxpb.NodeProto) (names []string) {
	for _, a := range n.GetAttribute() {
		if !strings.HasPrefix(a.GetName(), "classlabels_") {
			continue
		}
		for _, s := range a.GetStrings() {
			names = append(names, string(s))
		}
		for _, i := range a.GetInts() {
			names = append(names, strconv.FormatInt(i, 10))
		}
	}
	return names
}

// tableNames reads a constant list of labels.
func tableNames(t *onnxpb.TensorProto) (names []string) {
	if t == nil {
		return nil
	}
	for _, s := range t.GetStringData() {
		names = append(names, string(s))
	}
	if names != nil {
		return names
	}
	if !integerLabel(onnx.DType(t.GetDataType())) {
		return nil
	}
	values, err := onnx.Float64s(t)
	if err != nil {
		return nil
	}
	for _, v := range values {
		names = append(names, strconv.FormatInt(int64(v), 10))
	}
	return names
}

// namesInMetadata reads the lists that exporters keep beside the graph, in JSON or as Python prints
// them: ['cat', 'dog'] or {0: 'cat', 1: 'dog'}.
func namesInMetadata(m *onnx.Model) []string {
	metadata := m.Metadata()
	for _, key := range []string{"names", "classes", "class_names", "labels", "id2label"} {
		text, ok := metadata[key]
		if !ok || len(text) > maxNames {
			continue
		}
		var list []string
		if yaml.Unmarshal([]byte(text), &list) == nil && len(list) > 1 {
			return list
		}
		var numbered map[int]string
		if yaml.Unmarshal([]byte(text), &numbered) == nil {
			if list = inOrder(numbered); list != nil {
				return list
			}
		}
	}
	return nil
}

// inOrder lists names that are numbered 0, 1, 2, …; nil where they are not.
func inOrder(numbered map[int]string) []string {
	list := make([]string, len(numbered))
	for i, name := range numbered {
		if i < 0 || i >= len(list) {
			return nil
		}
		list[i] = name
	}
	return list
}

// nameClasses takes the file's class names where none are declared.
func (p *plan) nameClasses() {
	if len(p.report.Labels) > 0 {
		return
	}
	if p.report.Labels = p.classNames(); p.report.Labels != nil {
		p.report.add(kindFound, fmt.Sprintf("the file names its classes: %s", strings.Join(shorten(p.report.Labels, 8), ", ")), "labels in model.yaml")
	}
}
