package autodiff

import (
	"fmt"

	"ucan/runtime/onnx"
)

// maxInterpolation bounds the matrix of one resized axis.
const maxInterpolation = 1 << 24

// y = x resized. Nearest, linear and cubic interpolation are linear in x and work along one axis
// after the other: y = A₁A₂…x. The matrix of an axis is found by resizing a unit matrix with the
// operator itself, so that every coordinate transformation and rounding mode is followed exactly;
// ∂x is g multiplied by the transposes.
func resizeRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	if onnx.AttrString(c.Node, "coordinate_transformation_mode", "") == "tf_crop_and_resize" {
		return nil, fmt.Errorf("tf_crop_and_resize is not supported")
	}
	in, out := c.InDims(0), c.OutDims(0)
	g := c.Grad(0)
	for a := range in {
		if in[a] < 0 || out[a] < 0 {
			if in[a] == out[a] && a == 0 {
				continue // the batch
			}
			return nil, fmt.Errorf("its dimension %d varies from run to run", a)
		}
		if in[a] == out[a] && a < len(in)-2 {
			continue // batch and channels are not resized
		}
		if in[a]*max(in[a], out[a]) > maxInterpolation {
			return nil, fmt.Errorf("dimension %d of size %d → %d is too large", a, in[a], out[a])
		}
		m, identity, err := interpolation(c, a, in[a], out[a])
		if err != nil {
			return nil, err
		}
		if identity {
			continue
		}
		g = alongAxis(b, g, a, len(in), m)
	}
	return one(g)
}

// interpolation returns the matrix [out, in] by which Resize acts along axis a, and whether it is
// the unit matrix.
func interpolation(c *Context, a int, in, out int64) (m onnx.Value, identity bool, err error) {
	scale := float32(out) / float32(in)
	if t := c.Const(2); t != nil {
		if v, ferr := onnx.Float32s(t); ferr == nil && a < len(v) {
			scale = v[a] // the given scale, not the ratio of sizes, places the samples
		}
	}
	unit := make([]float32, in*in)
	for i := range in {
		unit[i*in+i] = 1
	}
	t, err := c.Evaluate(func(b *onnx.Builder) onnx.Value {
		// Each row of the unit matrix is a picture of one column: [in,1,in,1].
		x := onnx.Tensor(b, "unit", []int64{in, 1, in, 1}, unit)
		ins := []onnx.Value{x, {}}
		if c.Has(3) { // target sizes, not scales
			ins = append(ins, onnx.Value{}, b.Ints(in, 1, out, 1))
		} else {
			ins = append(ins, onnx.Tensor(b, "scales", []int64{4}, []float32{1, 1, scale, 1}))
		}
		return b.Op("Resize", ins, onnx.AttrsOf(c.Node, "axes", "keep_aspect_ratio_policy")...)
	})
	if err != nil {
		return onnx.Value{}, false, err
	}
	data, err := onnx.Float32s(t)
	if err != nil {
		return onnx.Value{}, false, err
	}
	if int64(len(data)) != in*out {
		return onnx.Value{}, false, fmt.Errorf("resizing %d to %d gave %d values", in, out, len(data))
	}
	// data is [in, out]; the product along the axis wants [out, in].
	mat := make([]float32, in*out)
	identity = in == out
	for i := range in {
		for j := range out {
			v := data[i*out+j]
			mat[j*in+i] = v
			identity = identity && (v == 1) == (i == j) && (v == 0) == (i != j)
		}
	}
	m = onnx.Tensor(c.Builder, "interpolation", []int64{out, in}, mat)
	if dt := c.DType(); dt != onnx.Float {
		m = c.Builder.Cast(m, dt)
	}
	return m, identity, nil
}
