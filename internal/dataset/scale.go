package dataset

import (
	"math"
	"strconv"
	"strings"

	"ucan/internal/npy"
)

// ratio is the factor of ?scale=, kept as num/den so that 1/255 divides by 255
// instead of multiplying by its rounded inverse.
type ratio struct {
	num, den float64
	text     string
	given    bool
}

func parseScale(spec Spec) (ratio, error) {
	text, ok := spec.Params["scale"]
	if !ok {
		return ratio{num: 1, den: 1}, nil
	}
	a, b, isRatio := strings.Cut(text, "/")
	if !isRatio {
		b = "1"
	}
	num, err1 := strconv.ParseFloat(a, 64)
	den, err2 := strconv.ParseFloat(b, 64)
	q := num / den
	if err1 != nil || err2 != nil || !(q > 0) || math.IsInf(q, 0) || math.IsInf(den, 0) {
		return ratio{}, specErrorf("option scale=%s: want a number above 0, such as 1/255 or 0.5", text)
	}
	return ratio{num: num, den: den, text: text, given: true}, nil
}

// suffix is the part of the source's name that tells the scale.
func (r ratio) suffix() string {
	if !r.given {
		return ""
	}
	return "?scale=" + r.text
}

// apply scales in float64 and rounds once to float32.
func (r ratio) apply(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		if r.given {
			x = x * r.num / r.den
		}
		out[i] = float32(x)
	}
	return out
}

// reshape applies ?shape=CxHxW, which must hold as many values.
func reshape(spec Spec, have []int) ([]int, error) {
	text, ok := spec.Params["shape"]
	if !ok {
		return have, nil
	}
	want, total := []int{}, 1
	for _, d := range have {
		total *= d
	}
	product := 1
	for part := range strings.SplitSeq(strings.ToLower(text), "x") {
		d, err := strconv.Atoi(part)
		if err != nil || d < 1 || d > maxItemValues || len(want) == npy.MaxDims || product > maxItemValues/d {
			return nil, specErrorf("option shape=%s: want positive numbers with x between, such as 1x28x28", text)
		}
		want = append(want, d)
		product *= d
	}
	if product != total {
		return nil, specErrorf("option shape=%s: it has %d values, an input has %d (%v)", text, product, total, have)
	}
	return want, nil
}
