package autodiff_test

import "math"

// The operators that onnxruntime's CPU provider has no float64 kernel for, straight from their
// definitions.

func broadcastDims(a, b []int64) []int64 {
	n := max(len(a), len(b))
	out := make([]int64, n)
	for i := range out {
		x, y := int64(1), int64(1)
		if j := i - (n - len(a)); j >= 0 {
			x = a[j]
		}
		if j := i - (n - len(b)); j >= 0 {
			y = b[j]
		}
		out[i] = max(x, y)
	}
	return out
}

// broadcastAt returns the element of v that position at of dims reads.
func broadcastAt(v value, dims []int64, at int) float64 {
	idx := unravel(at, dims)
	off := int64(0)
	for i, d := range v.dims {
		j := idx[i+len(dims)-len(v.dims)]
		if d == 1 {
			j = 0
		}
		off = off*d + j
	}
	return v.data[off]
}

func unravel(at int, dims []int64) []int64 {
	idx := make([]int64, len(dims))
	rest := int64(at)
	for i := len(dims) - 1; i >= 0; i-- {
		idx[i] = rest % dims[i]
		rest /= dims[i]
	}
	return idx
}

func ravel(idx, dims []int64) int64 {
	off := int64(0)
	for i := range dims {
		off = off*dims[i] + idx[i]
	}
	return off
}

// win is a window over two spatial dimensions (or one, with H = 1).
type win struct {
	kh, kw, sh, sw, dh, dw   int64
	top, left, bottom, right int64
}

func (w win) out(h, wd int64) (int64, int64) {
	return (h+w.top+w.bottom-(w.kh-1)*w.dh-1)/w.sh + 1, (wd+w.left+w.right-(w.kw-1)*w.dw-1)/w.sw + 1
}

// convRef is the convolution of x [N,C,H,W] with w [O,C/G,kh,kw] and an optional bias.
func convRef(in []value, w win, group int64) []float64 {
	x, k := in[0], in[1]
	n, c, h, wd := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	o, cg := k.dims[0], k.dims[1]
	oh, ow := w.out(h, wd)
	out := make([]float64, n*o*oh*ow)
	for i := range out {
		p := unravel(i, []int64{n, o, oh, ow})
		g := p[1] / (o / group)
		sum := 0.0
		if len(in) > 2 {
			sum = in[2].data[p[1]]
		}
		for ci := range cg {
			for a := range w.kh {
				for b := range w.kw {
					y, z := p[2]*w.sh-w.top+a*w.dh, p[3]*w.sw-w.left+b*w.dw
					if y < 0 || y >= h || z < 0 || z >= wd {
						continue
					}
					sum += x.data[ravel([]int64{p[0], g*cg + ci, y, z}, []int64{n, c, h, wd})] *
						k.data[ravel([]int64{p[1], ci, a, b}, k.dims)]
				}
			}
		}
		out[i] = sum
	}
	return out
}

// convTransposeRef is the transposed convolution of x [N,C,H,W] with w [C,O/G,kh,kw] and an
// optional bias, to spatial size oh × ow.
func convTransposeRef(in []value, w win, group, oh, ow int64) []float64 {
	x, k := in[0], in[1]
	n, c, h, wd := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	og := k.dims[1]
	dims := []int64{n, og * group, oh, ow}
	out := make([]float64, elements(dims))
	if len(in) > 2 {
		for i := range out {
			out[i] = in[2].data[unravel(i, dims)[1]]
		}
	}
	for i, v := range x.data {
		p := unravel(i, x.dims)
		g := p[1] / (c / group)
		for oi := range og {
			for a := range w.kh {
				for b := range w.kw {
					y, z := p[2]*w.sh-w.top+a*w.dh, p[3]*w.sw-w.left+b*w.dw
					if y < 0 || y >= oh || z < 0 || z >= ow {
						continue
					}
					out[ravel([]int64{p[0], g*og + oi, y, z}, dims)] += v * k.data[ravel([]int64{p[1], oi, a, b}, k.dims)]
				}
			}
		}
	}
	_, _ = h, wd
	return out
}

// averagePoolRef is the mean over the windows of x [N,C,H,W], oh × ow of them.
func averagePoolRef(x value, w win, oh, ow int64, includePad bool) []float64 {
	dims := []int64{x.dims[0], x.dims[1], oh, ow}
	h, wd := x.dims[2], x.dims[3]
	out := make([]float64, elements(dims))
	for i := range out {
		p := unravel(i, dims)
		sum, count := 0.0, 0.0
		for a := range w.kh {
			for b := range w.kw {
				y, z := p[2]*w.sh-w.top+a*w.dh, p[3]*w.sw-w.left+b*w.dw
				inside := y >= 0 && y < h && z >= 0 && z < wd
				if inside {
					sum += x.data[ravel([]int64{p[0], p[1], y, z}, x.dims)]
				}
				if inside || includePad && y < h+w.bottom && z < wd+w.right {
					count++
				}
			}
		}
		out[i] = sum / count
	}
	return out
}

// groupNormRef normalises x [N,C,…] over each group of channels; scale and shift are per channel,
// or per group when they are that many.
func groupNormRef(in []value, groups int64, eps float64) []float64 {
	x := in[0]
	n, c := x.dims[0], x.dims[1]
	space := elements(x.dims[2:])
	size := c / groups * space
	out := make([]float64, len(x.data))
	for i := range n * groups {
		part := x.data[i*size : (i+1)*size]
		mean, variance := 0.0, 0.0
		for _, v := range part {
			mean += v / float64(size)
		}
		for _, v := range part {
			variance += (v - mean) * (v - mean) / float64(size)
		}
		for j, v := range part {
			ch := (i%groups)*(c/groups) + int64(j)/space
			if int64(len(in[1].data)) == groups && groups != c {
				ch = i % groups
			}
			out[i*size+int64(j)] = (v-mean)/math.Sqrt(variance+eps)*in[1].data[ch] + in[2].data[ch]
		}
	}
	return out
}

// lrnRef is local response normalisation across channels of x [N,C,H,W].
func lrnRef(x value, size int64, alpha, beta, bias float64) []float64 {
	c := x.dims[1]
	out := make([]float64, len(x.data))
	for i, v := range x.data {
		p := unravel(i, x.dims)
		sum := 0.0
		for j := max(0, p[1]-(size-1)/2); j <= min(c-1, p[1]+size-1-(size-1)/2); j++ {
			q := x.data[ravel([]int64{p[0], j, p[2], p[3]}, x.dims)]
			sum += q * q
		}
		out[i] = v / math.Pow(bias+alpha/float64(size)*sum, beta)
	}
	return out
}

// maxPoolRef is the maximum over the windows of x [N,C,H,W], oh × ow of them.
func maxPoolRef(x value, w win, oh, ow int64) []float64 {
	dims := []int64{x.dims[0], x.dims[1], oh, ow}
	out := make([]float64, elements(dims))
	for i := range out {
		p := unravel(i, dims)
		best := math.Inf(-1)
		for a := range w.kh {
			for b := range w.kw {
				y, z := p[2]*w.sh-w.top+a*w.dh, p[3]*w.sw-w.left+b*w.dw
				if y >= 0 && y < x.dims[2] && z >= 0 && z < x.dims[3] {
					best = math.Max(best, x.data[ravel([]int64{p[0], p[1], y, z}, x.dims)])
				}
			}
		}
		out[i] = best
	}
	return out
}
