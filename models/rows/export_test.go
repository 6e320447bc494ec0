package rows

import (
	"maps"
	"slices"
	"testing"

	"ucan/runtime/onnx"
)

// Mixing makes n models that mix rows of a batch, for tests of other packages' use of
// them; the input is x, the output y.
func Mixing(t testing.TB, n int, each func(name string, m *onnx.Model)) {
	mixingModels(n, func(name string, _ mixer, _ float32, g *graph) { each(name, g.model(t)) })
}

// Operators returns the operators that have a rule, sorted.
func Operators() []string { return slices.Sorted(maps.Keys(rules())) }
