package autodiff_test

import (
	"math"

	"ucan/runtime/onnx"
)

// resizeRef is ONNX's Resize by scales or to sizes, along one axis after the other.
func resizeRef(x value, scales []float32, sizes []int64, attrs []onnx.Attr) []float64 {
	b := onnx.NewBuilder("attributes", 17)
	b.OutputUntyped("y", b.Op("Resize", []onnx.Value{b.Input("x", onnx.Float)}, attrs...))
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	n := m.Nodes()[0]
	mode := onnx.AttrString(n, "mode", "nearest")
	transform := onnx.AttrString(n, "coordinate_transformation_mode", "half_pixel")
	rounding := onnx.AttrString(n, "nearest_mode", "round_prefer_floor")
	dims, data := append([]int64{}, x.dims...), x.data
	for a := range dims {
		in := dims[a]
		scale, out := 0.0, int64(0)
		if sizes != nil {
			out = sizes[a]
			scale = float64(out) / float64(in)
		} else {
			scale = float64(scales[a])
			out = int64(math.Floor(float64(in) * scale))
		}
		if out == in && scale == 1 {
			continue
		}
		next := append([]int64{}, dims...)
		next[a] = out
		result := make([]float64, elements(next))
		for i := range result {
			p := unravel(i, next)
			for j, w := range resizeWeights(mode, transform, rounding, p[a], in, out, scale) {
				q := append([]int64{}, p...)
				q[a] = j
				result[i] += w * data[ravel(q, dims)]
			}
		}
		dims, data = next, result
	}
	return data
}

// resizeWeights returns by how much each input position counts for output position o.
func resizeWeights(mode, transform, rounding string, o, in, out int64, scale float64) map[int64]float64 {
	var at float64
	switch transform {
	case "half_pixel":
		at = (float64(o)+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if out > 1 {
			at = (float64(o)+0.5)/scale - 0.5
		}
	case "align_corners":
		if out > 1 {
			at = float64(o) * float64(in-1) / float64(out-1)
		}
	default: // asymmetric
		at = float64(o) / scale
	}
	clamp := func(i int64) int64 { return min(max(i, 0), in-1) }
	weights := make(map[int64]float64)
	base := int64(math.Floor(at))
	f := at - float64(base)
	switch mode {
	case "linear":
		at = min(max(at, 0), float64(in-1))
		base = int64(math.Floor(at))
		f = at - float64(base)
		weights[base] += 1 - f
		weights[clamp(base+1)] += f
	case "cubic":
		const k = -0.75
		w := [4]float64{
			k * (((f+1)-5)*(f+1)*(f+1) + 8*(f+1) - 4),
			((k+2)*f-(k+3))*f*f + 1,
			((k+2)*(1-f)-(k+3))*(1-f)*(1-f) + 1,
			k * (((2-f)-5)*(2-f)*(2-f) + 8*(2-f) - 4),
		}
		for i := range w {
			weights[clamp(base-1+int64(i))] += w[i]
		}
	default:
		var i int64
		switch rounding {
		case "round_prefer_floor":
			i = int64(math.Ceil(at - 0.5))
		case "round_prefer_ceil":
			i = int64(math.Floor(at + 0.5))
		case "floor":
			i = base
		default:
			i = int64(math.Ceil(at))
		}
		weights[clamp(i)] = 1
	}
	return weights
}
