package autodiff

import (
	"context"
	"fmt"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// inDouble returns m with its inputs, weights and arithmetic in float64, for the given sizes of its
// symbolic dimensions: the reference that gradients are compared with. onnxruntime's CPU provider
// has no float64 kernel for some operators. Of those, convolutions and the piecewise linear ones
// are written in terms of others; the rest run in float32 between casts, and single reports it.
func inDouble(ctx context.Context, eng Engine, m *onnx.Model, sizes map[string]int64) (_ *onnx.Model, single bool, err error) {
	if m, err = prepare(m, nil, Options{Sizes: sizes}); err != nil {
		return nil, false, err
	}
	fs, err := probe(ctx, eng, m, nil)
	if err != nil {
		return nil, false, err
	}
	if m, err = fold(ctx, eng, m, fs, nil, true); err != nil {
		return nil, false, err
	}
	d := &doubler{facts: fs, values: make(map[string]onnx.Value)}
	d.b = onnx.NewBuilder(m.Name(), m.Opset(""))
	for _, in := range m.Inputs() {
		d.values[in.Name] = d.b.Input(in.Name, widened(in.Type), in.Shape...)
	}
	for _, t := range m.Initializers() {
		var wide *onnxpb.TensorProto
		if wide, err = widen(t); err != nil {
			return nil, false, err
		}
		d.values[t.GetName()] = d.b.Initializer(wide)
	}
	for _, o := range m.Outputs() {
		if d.values[o.Name].IsZero() {
			d.b.Hold(o.Name)
		}
	}
	for _, n := range m.Nodes() {
		if err = d.node(n); err != nil {
			return nil, false, fmt.Errorf("autodiff: %s in float64: %w", onnx.Describe(n), err)
		}
	}
	for _, o := range m.Outputs() {
		d.b.Output(o.Name, d.values[o.Name], widened(fs[o.Name].dtype), o.Shape...)
	}
	m, err = d.b.Build()
	return m, d.single, err
}

func widened(dt onnx.DType) onnx.DType {
	if dt == onnx.Float || dt == onnx.Float16 {
		return onnx.Double
	}
	return dt
}

// widen returns a tensor of float32 or float16 as one of float64, others as they are.
func widen(t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
	if widened(onnx.TensorType(t)) == onnx.TensorType(t) {
		return t, nil
	}
	f, err := onnx.Float32s(t)
	if err != nil {
		return nil, err
	}
	d := make([]float64, len(f))
	for i, v := range f {
		d[i] = float64(v)
	}
	return onnx.NewTensor(t.GetName(), t.GetDims(), d)
}

type doubler struct {
	b      *onnx.Builder
	facts  facts
	values map[string]onnx.Value
	single bool // some operator of real numbers runs in float32
}

// singleOnly lists operators without a float64 kernel that are not rewritten.
func singleOnly(op string) bool {
	switch op {
	case "Erf", "Cos", "Gelu", "Elu", "Selu", "Celu", "Softsign", "Mish", "ThresholdedRelu",
		"AveragePool", "InstanceNormalization", "GroupNormalization", "LRN", "Resize", "ConvTranspose", "Mean":
		return true
	}
	return false
}

func (d *doubler) node(n *onnxpb.NodeProto) error {
	b := d.b
	in := make([]onnx.Value, len(n.GetInput()))
	for i, name := range n.GetInput() {
		in[i] = d.values[name]
	}
	var out onnx.Value
	switch n.GetOpType() {
	case "Conv":
		v, err := d.conv(n, in)
		if err != nil {
			return err
		}
		out = v
	case "LeakyRelu":
		alpha := b.Scalar(onnx.Double, float64(onnx.AttrFloat(n, "alpha", 0.01)))
		out = b.Where(b.Greater(in[0], b.Scalar(onnx.Double, 0)), in[0], b.Mul(in[0], alpha))
	case "HardSigmoid":
		out = d.hardSigmoid(in[0], float64(onnx.AttrFloat(n, "alpha", 0.2)), float64(onnx.AttrFloat(n, "beta", 0.5)))
	case "HardSwish":
		out = b.Mul(in[0], d.hardSigmoid(in[0], 1.0/6, 0.5))
	case "Softplus":
		zero := b.Scalar(onnx.Double, 0)
		tail := b.Log(b.Add(b.Exp(b.Neg(b.Abs(in[0]))), b.Scalar(onnx.Double, 1)))
		out = b.Add(tail, b.Op("Max", []onnx.Value{in[0], zero}))
	case "GlobalAveragePool":
		out = b.Mean(in[0], true, spatial(len(d.facts[n.Input[0]].dims))...)
	case "Cast":
		to := widened(onnx.DType(onnx.AttrInt(n, "to", 0)))
		out = b.Cast(in[0], to)
	default:
		return d.plain(n, in)
	}
	d.values[n.Output[0]] = out
	return nil
}

func (d *doubler) hardSigmoid(x onnx.Value, alpha, beta float64) onnx.Value {
	b := d.b
	line := b.Add(b.Mul(x, b.Scalar(onnx.Double, alpha)), b.Scalar(onnx.Double, beta))
	return b.Clip(line, b.Scalar(onnx.Double, 0), b.Scalar(onnx.Double, 1))
}

// plain copies a node, in float32 between casts where it has no other kernel.
func (d *doubler) plain(n *onnxpb.NodeProto, in []onnx.Value) error {
	b := d.b
	if !singleOnly(n.GetOpType()) && n.GetDomain() == "" {
		for i, v := range b.Append(n, in) {
			d.values[n.Output[i]] = v
		}
		return b.Err()
	}
	for i, name := range n.GetInput() {
		if name != "" && d.facts[name].dtype == onnx.Float {
			d.single = true
			in[i] = b.Cast(in[i], onnx.Float)
		}
	}
	for i, v := range b.Append(n, in) {
		if name := n.Output[i]; name != "" {
			if d.facts[name].dtype == onnx.Float {
				v = b.Cast(v, onnx.Double)
			}
			d.values[name] = v
		}
	}
	return b.Err()
}

// conv writes a convolution as a matrix product of the weights with the slices of the padded input,
// shifted by each kernel position.
func (d *doubler) conv(n *onnxpb.NodeProto, in []onnx.Value) (onnx.Value, error) {
	b := d.b
	wd := d.facts[n.Input[1]].dims
	xd, yd := d.facts[n.Input[0]].dims, d.facts[n.Output[0]].dims
	if !fixed(wd) || !fixed(xd[1:]) || !fixed(yd[1:]) {
		return onnx.Value{}, fmt.Errorf("its channels or spatial sizes vary from run to run")
	}
	c := &Context{Builder: b, Node: n, pass: pass{b: b}, facts: d.facts}
	v, err := convOf(c, xd, yd, windowOf)
	if err != nil {
		return onnx.Value{}, err
	}
	rank := len(v.kernel)
	xp := v.padded(c, in[0])
	var shifts []onnx.Value
	for _, t := range v.offsets() {
		shifts = append(shifts, v.shift(b, xp, t, 2))
	}
	var sum onnx.Value
	switch {
	case wd[1] == 1 && wd[0] == v.group:
		sum = d.depthwise(v, in[1], shifts)
	default:
		// The weights as [G, O/G, k·C/G], one product with all shifts stacked.
		w := b.Reshape(in[1], v.group, wd[0]/v.group, wd[1], v.count())
		w = b.Reshape(b.Transpose(w, 0, 1, 3, 2), v.group, wd[0]/v.group, -1)
		for k, xs := range shifts {
			shifts[k] = b.Reshape(xs, -1, v.group, wd[1], v.space())
		}
		xs := shifts[0]
		if len(shifts) > 1 {
			xs = b.Concat(2, shifts...)
		}
		sum = b.MatMul(w, xs) // [N, G, O/G, P]
	}
	sum = b.Reshape(sum, append([]int64{-1}, yd[1:]...)...)
	if len(in) > 2 {
		sum = b.Add(sum, perChannel(b, in[2], rank+2))
	}
	return sum, nil
}

// depthwise is a convolution of single channels, a sum over shifts.
func (d *doubler) depthwise(v conv, w onnx.Value, shifts []onnx.Value) onnx.Value {
	b := d.b
	w = b.Transpose(b.Reshape(w, v.group, v.count()), 1, 0) // [k, C]
	var sum onnx.Value
	for k, xs := range shifts {
		p := b.Mul(perChannel(b, b.Gather(w, b.Int64(int64(k)), 0), len(v.xd)), xs)
		if sum.IsZero() {
			sum = p
		} else {
			sum = b.Add(sum, p)
		}
	}
	return sum
}
