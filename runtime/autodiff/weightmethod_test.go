package autodiff

import (
	"testing"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// TestWeightMethods asks for the method of every row of the table by a convolution that it is for.
func TestWeightMethods(t *testing.T) {
	square := func(kernel, stride, pad int64) window {
		two := func(v int64) []int64 { return []int64{v, v} }
		return window{kernel: two(kernel), stride: two(stride), dilation: two(1), begin: two(pad), end: two(pad)}
	}
	// of is a convolution of n images [c, size, size] to o channels.
	of := func(n, c, o, size, out, group int64, w window) conv {
		return conv{window: w, group: group, wd: []int64{o, c / group, w.kernel[0], w.kernel[1]},
			xd: []int64{n, c, size, size}, yd: []int64{n, o, out, out}}
	}
	seen := make(map[string]bool)
	for _, k := range []struct {
		want   string
		cpu    bool
		layout bool
		conv   conv
	}{
		{"tiles", true, true, of(8, 16, 32, 8, 4, 1, square(2, 2, 0))},
		{"swapped", true, true, of(8, 16, 16, 32, 32, 1, square(9, 1, 4))},
		{"columns", true, false, of(8, 3, 16, 8, 8, 1, square(3, 1, 1))},
		{"product", true, true, of(8, 64, 512, 4, 4, 1, square(3, 1, 1))},
		{"exchanged groups", true, true, of(8, 16, 8, 8, 8, 1, square(3, 1, 1))},
		{"groups", true, true, of(8, 16, 16, 8, 8, 1, square(3, 1, 1))},
		{"groups", true, true, of(8, 3, 16, 8, 8, 1, square(3, 1, 1))},
		{"rows", false, false, of(8, 16, 16, 8, 8, 1, square(3, 1, 1))},
		{"shifts", false, false, of(8, 16, 16, 8, 4, 1, square(3, 2, 1))},
		{"shifts", true, true, of(8, 32, 32, 8, 8, 2, square(3, 1, 1))},
	} {
		sh := newShared()
		sh.layout, sh.groups = k.layout, k.layout
		c := &Context{Node: &onnxpb.NodeProto{Output: []string{"y"}}, facts: facts{"y": {dtype: onnx.Float}}, pass: pass{cpu: k.cpu, shared: sh}}
		m, err := weightMethodOf(c, k.conv)
		if err != nil || m.name != k.want {
			t.Errorf("the method for %+v is %q (%v), not %q", k.conv, m.name, err, k.want)
		}
		seen[m.name] = true
	}
	for _, m := range weightMethods() {
		if !seen[m.name] {
			t.Errorf("no convolution here takes %q", m.name)
		}
	}
}
