// Package cost counts the multiply–adds of a graph.
package cost

import (
	"context"
	"fmt"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// opset is the oldest version of the operators that graphs are probed in; older ones are converted.
const opset = 17

// probed names the outputs that shapes are read from.
const probed = "ucan.cost."

// MultiplyAdds counts the multiply–adds that m does for one row: those of convolutions, transposed
// convolutions and products of matrices, functions looked into; what costs less (additions,
// activations, pooling) is not counted, nor is what lies inside loops, branches and recurrent
// operators. The graph has one input, whose first axis is the batch and whose other axes are fixed.
// The graph runs once, since only that tells the shapes.
func MultiplyAdds(ctx context.Context, engine autodiff.Engine, m *onnx.Model) (int64, error) {
	m, err := m.Inlined()
	if err == nil {
		m, err = m.WithOpset(max(opset, m.Opset("")))
	}
	if err != nil {
		return 0, fmt.Errorf("count the multiply–adds: %w", err)
	}
	in := m.Inputs()
	if len(in) != 1 {
		return 0, fmt.Errorf("count the multiply–adds: the graph has %d inputs; it must have one", len(in))
	}
	shapes, rows, err := shapesOf(ctx, engine, m, in[0])
	if err != nil {
		return 0, fmt.Errorf("count the multiply–adds: %w", err)
	}
	total := int64(0)
	for _, n := range m.Nodes() {
		if counted(n) {
			total += nodeCost(n, shapes)
		}
	}
	return total / rows, nil
}

// counted reports whether a node's multiply–adds are counted.
func counted(n *onnxpb.NodeProto) bool {
	switch n.GetOpType() {
	case "Conv", "ConvTranspose", "MatMul", "Gemm":
		return n.GetDomain() == "" || n.GetDomain() == "ai.onnx"
	}
	return false
}

// shapesOf runs the graph on zeros and returns the shapes of what the counted nodes read and make.
func shapesOf(ctx context.Context, engine autodiff.Engine, m *onnx.Model, in onnx.ValueInfo) (map[string][]int64, int64, error) {
	dims := make([]int64, len(in.Shape))
	for i, d := range in.Shape {
		switch {
		case d.IsFixed():
			dims[i] = d.Size
		case i == 0:
			dims[i] = 1
		default:
			return nil, 0, fmt.Errorf("axis %d of the input %s is open", i, in.Name)
		}
	}
	shapes := make(map[string][]int64)
	b := onnx.Extend(m)
	b.ClearOutputs()
	outputs := make(map[string]string)
	for _, n := range m.Nodes() {
		if !counted(n) || len(n.GetInput()) < 2 || len(n.GetOutput()) < 1 {
			continue
		}
		for _, name := range append(n.GetInput()[:2:2], n.GetOutput()[0]) {
			if t := m.Initializer(name); t != nil {
				shapes[name] = t.GetDims()
			} else if _, ok := outputs[name]; !ok {
				out := fmt.Sprint(probed, len(outputs))
				outputs[name] = out
				// Only the shape leaves the runtime.
				b.OutputUntyped(out, b.Identity(b.Shape(b.Value(name))))
			}
		}
	}
	if len(outputs) == 0 {
		return shapes, 1, nil
	}
	graph, err := b.Build()
	if err == nil {
		graph, err = graph.WithoutDead()
	}
	if err != nil {
		return nil, 0, err
	}
	elements, err := onnx.Elements(dims)
	if err != nil {
		return nil, 0, err
	}
	x, err := onnx.NewNumbers(in.Name, in.Type, dims, make([]float64, elements))
	if err != nil {
		return nil, 0, err
	}
	results, err := engine.Eval(ctx, graph, []*onnxpb.TensorProto{x})
	if err != nil {
		return nil, 0, err
	}
	for name, out := range outputs {
		if shapes[name], err = onnx.Int64s(results[out]); err != nil {
			return nil, 0, err
		}
	}
	return shapes, max(1, dims[0]), nil
}

// nodeCost is the number of values that a node makes, or for a transposed convolution reads, times
// the terms of each.
func nodeCost(n *onnxpb.NodeProto, shapes map[string][]int64) int64 {
	a, b, out := shapes[n.GetInput()[0]], shapes[n.GetInput()[1]], shapes[n.GetOutput()[0]]
	switch n.GetOpType() {
	case "Conv": // weights [O, C/groups, kernel…]
		if len(b) > 1 {
			return product(out) * product(b[1:])
		}
	case "ConvTranspose": // weights [C, O/groups, kernel…]
		if len(b) > 1 {
			return product(a) * product(b[1:])
		}
	case "Gemm":
		if len(a) == 2 && len(out) == 2 && out[0] > 0 {
			return product(out) * (product(a) / out[0])
		}
	case "MatMul":
		if len(a) > 0 {
			return product(out) * a[len(a)-1]
		}
	}
	return 0
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}
