package autodiff_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// searchOrder is the order in which onnxruntime runs nodes: a depth-first search back from the
// nodes that nothing reads, the last in the file first.
func searchOrder(nodes []*onnxpb.NodeProto) []int {
	maker := make(map[string]int)
	read := make(map[int]bool)
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			maker[o] = i
		}
	}
	before := make([][]int, len(nodes))
	for i, n := range nodes {
		for _, u := range onnx.Uses(n) {
			if j, ok := maker[u]; ok {
				before[i] = append(before[i], j)
				read[j] = true
			}
		}
		slices.SortFunc(before[i], func(a, b int) int { return cmp.Compare(b, a) })
	}
	var out []int
	seen := make([]bool, len(nodes))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, j := range before[i] {
			visit(j)
		}
		out = append(out, i)
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if !read[i] {
			visit(i)
		}
	}
	return out
}

// TestScheduleLetsSumsBeInPlace follows the order in which onnxruntime will run gradient graphs of
// a residual network: what a convolution adds to is read by nothing after it, so that no copy is
// made; and gradients by weights do not wait for the gradients by values of all layers before.
func TestScheduleLetsSumsBeInPlace(t *testing.T) {
	eng := autodiff.OnRuntime(runtimetest.Open(t))
	m := resnet20(t)
	for _, wrt := range [][]string{{"x"}, autodiff.Trainable(m)} {
		g, err := autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{
			Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}, Wrt: wrt, CPU: true, Sizes: map[string]int64{"N": 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		nodes := g.Model.Nodes()
		order := searchOrder(nodes)
		if len(order) != len(nodes) {
			t.Fatalf("%d of %d nodes run", len(order), len(nodes))
		}
		last, at := make(map[string]int), make(map[string]int)
		for step, i := range order {
			for _, u := range onnx.Uses(nodes[i]) {
				last[u] = step
			}
			for _, o := range nodes[i].GetOutput() {
				at[o] = step
			}
		}
		sums := 0
		for step, i := range order {
			if n := nodes[i]; n.GetOpType() == "Conv" && n.GetDomain() != "" && len(n.GetInput()) == 4 {
				sums++
				if late := last[n.Input[3]]; late > step {
					t.Errorf("∂%v: %q is read at step %d, after it was added to at step %d", wrt[0], n.Input[3], late, step)
				}
			}
		}
		if sums == 0 {
			t.Skip("this provider has no layout of blocks")
		}
		if len(wrt) > 1 {
			first, final := at[g.Output("loss", wrt[0])], at[g.Output("loss", wrt[len(wrt)-4])]
			if final > first {
				t.Errorf("the last layer's weights come at step %d, after the first layer's at %d", final, first)
			}
		}
	}
}
