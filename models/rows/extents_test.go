package rows

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// extentGraphs builds single operators with attributes at the edge of what the standard
// says, and where onnxruntime has an opinion of its own.
func extentGraphs(each func(name string, g *graph)) {
	axis := []int64{-2, -1, 0, 1, 3, 4, 5, -4, -5, -9, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	for _, start := range axis {
		for _, end := range axis {
			for _, step := range []int64{1, 2, 9, -1, -3} {
				g := newGraph(13, 4).i64("s", start).i64("e", end).i64("a", 1).i64("t", step)
				each(fmt.Sprintf("Slice %d:%d:%d", start, end, step), g.do("Slice", "x s e a t", "y"))
			}
		}
	}
	for _, opset := range []int64{11, 13} {
		for _, axes := range [][]int64{nil, {1}, {-2}, {1, 3}} {
			g := newGraph(opset, 1, 4, 1)
			if opset < 13 {
				g.do("Squeeze", "x", "y", aInts("axes", axes...))
			} else {
				g.i64("a", axes...).do("Squeeze", "x a", "y")
			}
			each(fmt.Sprintf("Squeeze-%d %v", opset, axes), g)
		}
	}
	for _, axes := range [][]int64{nil, {2}, {-1, 1}, {0, 1, 2}} {
		for _, first := range []float32{1, 2} {
			scales := slices.Repeat([]float32{first}, max(len(axes), 1))
			if len(axes) == 0 {
				scales = []float32{first, 1, 1}
			}
			g := newGraph(18, 2, 4).values("s", scales, int64(len(scales)))
			each(fmt.Sprintf("Resize %v by %v", axes, scales), g.do("Resize", "x _ s", "y", aInts("axes", axes...)))
		}
	}
	for _, pad := range []string{"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"} {
		for shape := range 36 {
			dilation, stride, kernel, more := int64(1+shape%2), int64(1+shape/2%3), int64(1+shape/6%3), int64(shape/18)
			attrs := []*onnxpb.AttributeProto{aStr("auto_pad", pad), aInts("dilations", dilation), aInts("strides", stride)}
			name := fmt.Sprintf("%s by %d over %d dilated %d, %d", pad, stride, kernel, dilation, more)
			for _, op := range []string{"MaxPool", "AveragePool", "LpPool"} {
				for _, of := range [][2]int64{{11, 7}, {19, 7}, {19, 9}, {22, 8}} {
					over := attrs
					if of[0] < 19 && dilation == 1 && op != "MaxPool" {
						over = slices.Delete(slices.Clone(attrs), 1, 2) // older pools have none
					}
					if op != "LpPool" || of[0] > 11 {
						over = append(slices.Clone(over), aInt("ceil_mode", more))
					}
					each(fmt.Sprintf("%s-%d %s, of %d", op, of[0], name, of[1]), newGraph(of[0], 2, of[1]).do(op, "x", "y", append(slices.Clone(over), aInts("kernel_shape", kernel))...))
				}
			}
			if more > 0 && pad == "NOTSET" {
				attrs = append(attrs, aInts("pads", 2, 1))
			}
			each("Conv "+name, newGraph(19, 2, 7).f32("w", 3, 2, kernel).do("Conv", "x w", "y", attrs...))
			each("ConvTranspose, more of it, "+name, newGraph(19, 2, 7).f32("w", 2, 3, kernel).do("ConvTranspose", "x w", "y", append(slices.Clone(attrs), aInts("output_padding", stride-1))...))
			each("ConvTranspose "+name, newGraph(19, 2, 7).f32("w", 2, 3, kernel).do("ConvTranspose", "x w", "y", attrs...))
		}
	}
}

// TestExtentsAreThoseOfOnnxruntime holds every extent that a rule tells against the one
// that onnxruntime makes: a wrong one would mislead Reshape, Shape and If behind it.
func TestExtentsAreThoseOfOnnxruntime(t *testing.T) {
	subtest.Long(t)
	rt := openRuntime(t)
	checked := 0
	extentGraphs(func(name string, g *graph) {
		m := g.model(t)
		if proof := Prove(m, "x", "y", 0); !proof.Proved {
			return
		}
		r, err := shapeRunner(t, rt, g, m)
		if err != nil {
			return // onnxruntime does not take it
		}
		told := shapeOf(m)
		for _, n := range []int64{1, 3} {
			d, _ := onnx.Elements(g.dims)
			out, _, err := r.run(make([]float32, n*d))
			if err != nil {
				continue
			}
			checked++
			got := out[1 : 1+int(out[0])]
			same := len(got) == len(told)
			for i := 0; same && i < len(got); i++ {
				same = told[i].open || float32(told[i].n*n+told[i].c) == got[i]
			}
			if !same {
				t.Errorf("%s, batch %d: the rule tells %s, onnxruntime makes %v", name, n, shapeText(told), got)
			}
		}
	})
	t.Logf("%d shapes compared", checked)
	if checked < 1000 {
		t.Errorf("%d shapes compared: the test shows too little", checked)
	}
}

// shapeRunner loads a model that tells the rank of y and its extents, in eight numbers.
func shapeRunner(t *testing.T, rt *runtime.Runtime, g *graph, m *onnx.Model) (*runner, error) {
	m, err := m.Edit(func(p *onnxpb.ModelProto) error {
		for name, v := range map[string][]int64{"test.zeros": make([]int64, 8), "test.from": {0}, "test.to": {8}} {
			p.Graph.Initializer = append(p.Graph.Initializer, must(onnx.NewTensor(name, []int64{int64(len(v))}, v)))
		}
		p.Graph.Node = append(p.Graph.Node, node("Shape", "y", "test.shape"), node("Shape", "test.shape", "test.rank"),
			node("Concat", "test.rank test.shape test.zeros", "test.all", aInt("axis", 0)),
			node("Slice", "test.all test.from test.to", "test.eight"), node("Cast", "test.eight", "test.out", aInt("to", int64(onnx.Float))))
		p.Graph.Output = []*onnxpb.ValueInfoProto{info("test.out", onnx.Float, 8)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	r := &runner{t: t, rt: rt, dims: g.dims, out: []dim{fixed(8)}}
	if r.sess, err = rt.NewSession(context.Background(), b, runtime.SessionOptions{IntraOp: 1}); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, nil
}
