package ortcpu

import (
	"container/heap"
	"slices"
	"strings"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// isForward tells nodes that compute values of the forward graph, in blocks or plain.
type isForward func(*onnxpb.NodeProto) bool

// schedule orders the nodes for onnxruntime, which does not run them in the order of the file. It
// searches back from the nodes whose results nothing reads, the one that stands last in the file
// first, and runs a node when all that it reads has run. Of a gradient graph as it is written, that
// makes an order in which every ∂w waits until all gradients by values are there: all of them stay
// in memory, and a convolution that adds to what is still wanted has to copy it first, in one
// thread.
//
// The order wanted here is the one that the nodes have, but for masks, which come where they free
// what they are made of (hoistMasks), and results of the forward graph (resultsLast). firstLast
// writes the nodes so that the search finds it. forward tells values of the forward graph.
func schedule(m *onnx.Model, forward func(value string) bool) (*onnx.Model, error) {
	m, err := m.Sorted()
	if err != nil {
		return nil, err
	}
	is := func(n *onnxpb.NodeProto) bool {
		return slices.ContainsFunc(n.GetOutput(), func(o string) bool { return forward(strings.TrimSuffix(o, inBlocksTag)) })
	}
	return m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.Node = firstLast(resultsLast(hoistMasks(p.Graph.Node, is), is))
		return nil
	})
}

// hoistMasks moves the masks of values that convolutions add to, and that otherwise only the
// forward graph reads, right behind what makes those. Other masks are made late, in the place of
// what they are made of.
func hoistMasks(nodes []*onnxpb.NodeProto, forward isForward) []*onnxpb.NodeProto {
	mask := func(n *onnxpb.NodeProto) bool { return n.GetOpType() == "HardSigmoid" && !forward(n) }
	stays, added := make(map[string]bool), make(map[string]bool)
	for _, n := range nodes {
		for _, u := range onnx.Uses(n) {
			stays[u] = stays[u] || !mask(n) && !forward(n)
		}
		if n.GetDomain() == domain && len(n.GetInput()) == 4 {
			added[n.Input[3]] = true
		}
	}
	moved := make(map[string][]*onnxpb.NodeProto)
	rest := slices.DeleteFunc(slices.Clone(nodes), func(n *onnxpb.NodeProto) bool {
		if !mask(n) || stays[n.Input[0]] || !added[n.Input[0]] {
			return false
		}
		moved[n.Input[0]] = append(moved[n.Input[0]], n)
		return true
	})
	out := make([]*onnxpb.NodeProto, 0, len(nodes))
	for _, n := range rest {
		out = append(out, n)
		for _, o := range n.GetOutput() {
			out = append(out, moved[o]...)
			delete(moved, o)
		}
	}
	return out
}

// resultsLast moves the nodes of the forward graph that nothing reads, such as that of a loss, to
// the end. A search that begins there runs the whole forward graph before the first mask.
func resultsLast(nodes []*onnxpb.NodeProto, forward isForward) []*onnxpb.NodeProto {
	read := make(map[string]bool)
	for _, n := range nodes {
		for _, u := range onnx.Uses(n) {
			read[u] = true
		}
	}
	var first, last []*onnxpb.NodeProto
	for _, n := range nodes {
		if forward(n) && !slices.ContainsFunc(n.GetOutput(), func(o string) bool { return read[o] }) {
			last = append(last, n)
		} else {
			first = append(first, n)
		}
	}
	return append(first, last...)
}

// firstLast returns sorted nodes in a topological order made from the end: of all nodes whose
// readers are placed, the one wanted first stands last. So the search takes it first, be it one of
// the final nodes or one of those that a node reads.
func firstLast(nodes []*onnxpb.NodeProto) []*onnxpb.NodeProto {
	maker := make(map[string]int)
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			maker[o] = i
		}
	}
	left := make([]int, len(nodes)) // readers not placed, a value read twice counted twice
	reads := make([][]int, len(nodes))
	for i, n := range nodes {
		for _, u := range onnx.Uses(n) {
			if j, ok := maker[u]; ok {
				left[j]++
				reads[i] = append(reads[i], j)
			}
		}
	}
	var ready positions
	for i := range nodes {
		if left[i] == 0 {
			ready = append(ready, i)
		}
	}
	heap.Init(&ready)
	out := make([]*onnxpb.NodeProto, 0, len(nodes))
	for len(ready) > 0 {
		i, _ := heap.Pop(&ready).(int)
		out = append(out, nodes[i])
		for _, j := range reads[i] {
			if left[j]--; left[j] == 0 {
				heap.Push(&ready, j)
			}
		}
	}
	slices.Reverse(out)
	return out
}

// positions is a heap with the smallest on top.
type positions []int

func (p positions) Len() int           { return len(p) }
func (p positions) Less(i, j int) bool { return p[i] < p[j] }
func (p positions) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *positions) Push(x any)        { *p = append(*p, x.(int)) } //nolint:forcetypeassert // heap.Push is called with an int
func (p *positions) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}
