package autodiff

import (
	"context"
	"math"
	"slices"

	"ucan/runtime"
)

// maxDraws is how often samples are drawn anew.
const maxDraws = 32

// drawSteep draws inputs from [0, 1] or, where all that is flat since some activation is saturated
// everywhere, from a smaller range: a gradient below the resolution of float32 says nothing.
func (k *checker) drawSteep(ctx context.Context) (undecided int, err error) {
	for _, k.scale = range []float64{1, 0.1, 0.01, 1} { // none: back to the first
		if undecided, err = k.draw(ctx); err != nil || !k.flat() {
			break
		}
	}
	return undecided, err
}

// flat reports whether a loss would change by less than its resolution from one end of the inputs'
// range to the other.
func (k *checker) flat() bool {
	for i, name := range k.grads {
		sum := 0.0
		for _, v := range k.gradient.floats(name) {
			sum += math.Abs(v)
		}
		if sum < k.resolution(i) {
			return true
		}
	}
	return false
}

// resolution is ‖g‖₁ for a loss that changes by 1e-3 of itself over the range of the inputs.
func (k *checker) resolution(loss int) float64 {
	return 1e-3 * (1 + math.Abs(k.gradient.floats(k.losses[loss])[0])) / k.scale
}

// draw fills the inputs of the gradient graph at random and runs it. Samples at which float32 and
// the reference see different sides of kinks are replaced; it returns how many elements still
// differ after maxDraws, at the best of the samples seen.
func (k *checker) draw(ctx context.Context) (undecided int, err error) {
	for _, name := range k.added {
		if v := k.gradient.floats(name); v != nil {
			for i := range v {
				v[i] = k.rng.NormFloat64()
			}
			k.gradient.set(name, v)
		}
	}
	rows := int(k.opts.Batch)
	wanted := slices.Repeat([]bool{true}, rows)
	best := slices.Repeat([]int{1 << 62}, rows)
	kept := make(map[string][]float64)
	for i := 0; ; i++ {
		k.fill(wanted)
		flips, err := k.flips(ctx)
		if err != nil {
			return 0, err
		}
		undecided = 0
		for r, n := range flips {
			if wanted[r] && n < best[r] {
				best[r] = n
				k.keep(kept, r)
			}
			wanted[r] = best[r] > 0
			undecided += best[r]
		}
		if undecided == 0 || i == maxDraws {
			break
		}
	}
	for name, v := range kept {
		k.gradient.set(name, v)
	}
	k.label()
	if err := k.gradient.run(ctx); err != nil {
		return 0, err
	}
	return undecided, nil
}

// samples returns the real inputs of the model, those that losses added aside.
func (k *checker) samples() []string {
	var out []string
	for _, name := range k.gradient.inNames {
		if !slices.Contains(k.added, name) && k.gradient.floats(name) != nil {
			out = append(out, name)
		}
	}
	return out
}

// row returns the elements of sample r among n, in a tensor with samples first; where it has none
// they count to every sample.
func (k *checker) row(t *runtime.Tensor, r, n int) (from, to int) {
	if s := t.Shape(); len(s) == 0 || s[0] != k.opts.Batch {
		return 0, n
	}
	each := n / int(k.opts.Batch)
	return r * each, (r + 1) * each
}

// fill draws the wanted samples.
func (k *checker) fill(wanted []bool) {
	for _, name := range k.samples() {
		v := k.gradient.floats(name)
		for r, w := range wanted {
			if !w {
				continue
			}
			from, to := k.row(k.gradient.in[name], r, len(v))
			for i := from; i < to; i++ {
				v[i] = float64(float32(k.scale * k.rng.Float64()))
			}
		}
		k.gradient.set(name, v)
	}
}

// keep copies sample r.
func (k *checker) keep(kept map[string][]float64, r int) {
	for _, name := range k.samples() {
		v := k.gradient.floats(name)
		if kept[name] == nil {
			kept[name] = v
		}
		from, to := k.row(k.gradient.in[name], r, len(v))
		copy(kept[name][from:to], v[from:to])
	}
}

// flips runs the gradient graph and the reference, and counts for each sample the elements that are
// on different sides of a kink.
func (k *checker) flips(ctx context.Context) ([]int, error) {
	out := make([]int, k.opts.Batch)
	if err := k.gradient.run(ctx); err != nil {
		return nil, err
	}
	if k.kinks == nil {
		return out, nil
	}
	if err := k.kinks.copyInputs(k.gradient); err != nil {
		return nil, err
	}
	if err := k.kinks.run(ctx); err != nil {
		return nil, err
	}
	for _, name := range k.sides {
		t, u := k.gradient.out[name], k.kinks.out[name]
		for r := range out {
			out[r] += differing(k, t, r, dataOf[bool](t), dataOf[bool](u))
			out[r] += differing(k, t, r, dataOf[int64](t), dataOf[int64](u))
		}
	}
	return out, nil
}

// differing counts the differences between a and b, the elements of two tensors shaped like t,
// within sample r.
func differing[T comparable](k *checker, t *runtime.Tensor, r int, a, b []T) int {
	n := 0
	from, to := k.row(t, r, len(a))
	for i := from; i < to; i++ {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// label gives every sample a class that is not the model's first choice.
func (k *checker) label() {
	y := k.gradient.floats(k.output)
	classes := len(y) / int(k.opts.Batch)
	for _, name := range k.added {
		labels := dataOf[int64](k.gradient.in[name])
		if len(labels) != int(k.opts.Batch) || classes < 1 {
			continue
		}
		for i := range labels {
			row := y[i*classes : (i+1)*classes]
			top := slices.Index(row, slices.Max(row))
			labels[i] = int64((top + 1 + i%max(classes-1, 1)) % classes)
		}
	}
}
