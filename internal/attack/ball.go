package attack

import (
	"math"
	"slices"

	"ucan/smooth/family"
	"ucan/smooth/region"
	"ucan/smooth/stream"
)

// ball is a region in the coordinates u = diag(1/s)·Uᵀδ, in which it is {‖u‖_p ≤ R}.
type ball struct {
	region.Region
	scratch []float64
}

func newBall(r region.Region) *ball { return &ball{r, make([]float64, r.Dim)} }

func (b *ball) scale(i int) float64 {
	switch {
	case b.Sigma != nil:
		return float64(b.Sigma[i])
	case b.Sigma64 != nil:
		return b.Sigma64[i]
	}
	return 1
}

// delta sets dst to δ = U·diag(s)·u.
func (b *ball) delta(dst, u []float64) {
	for i, v := range u {
		b.scratch[i] = v * b.scale(i)
	}
	if b.Basis == nil {
		copy(dst, b.scratch)
		return
	}
	b.Basis.Values(dst, b.scratch)
}

// slope sets dst to the gradient by u, diag(s)·Uᵀg, of a function with the gradient g by δ.
func (b *ball) slope(dst, g []float64) {
	if b.Basis == nil {
		copy(dst, g)
	} else {
		b.Basis.Coefficients(dst, g)
	}
	for i := range dst {
		dst[i] *= b.scale(i)
	}
}

// steepest turns a gradient by u into the step of length 1 in the region's norm that gains most, in
// place. In ℓ1 that is one coordinate; a few of the largest share it, so that a path of steps can
// reach more than one. It reports false where the gradient has no direction.
func (b *ball) steepest(g []float64) bool {
	largest := 0.0
	for _, v := range g {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 {
		return false
	}
	switch b.Norm {
	case family.LInf:
		for i, v := range g {
			g[i] = sign(v)
		}
	case family.L1:
		steepestL1(g)
	default:
		square := 0.0
		for i := range g {
			g[i] /= largest // so that squares stay in range
			square += g[i] * g[i]
		}
		for i := range g {
			g[i] /= math.Sqrt(square)
		}
	}
	return true
}

// sharing is the share of the coordinates that a step in ℓ1 moves.
const sharing = 0.01

// steepestL1 is steepest in ℓ1.
func steepestL1(g []float64) {
	sizes := make([]float64, len(g))
	for i, v := range g {
		sizes[i] = math.Abs(v)
	}
	slices.Sort(sizes)
	k := max(1, int(sharing*float64(len(g))))
	least, n := sizes[len(sizes)-k], 0
	for i, v := range g {
		if math.Abs(v) >= least && v != 0 {
			g[i] = sign(v)
			n++
		} else {
			g[i] = 0
		}
	}
	for i := range g {
		g[i] /= float64(n)
	}
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// project moves u to the nearest point of the ball, in the Euclidean sense.
func (b *ball) project(u []float64) {
	switch b.Norm {
	case family.LInf:
		for i, v := range u {
			u[i] = min(max(v, -b.R), b.R)
		}
	case family.L1:
		projectL1(u, b.R)
	default:
		square := 0.0
		for _, v := range u {
			square += v * v
		}
		if norm := math.Sqrt(square); norm > b.R {
			for i := range u {
				u[i] *= b.R / norm
			}
		}
	}
}

// projectL1 is project in ℓ1: soft thresholding (Duchi et al. 2008, figure 1).
func projectL1(u []float64, radius float64) {
	sizes := make([]float64, len(u))
	total := 0.0
	for i, v := range u {
		sizes[i] = math.Abs(v)
		total += sizes[i]
	}
	if total <= radius {
		return
	}
	slices.SortFunc(sizes, func(a, b float64) int { // falling
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	sum, threshold := 0.0, 0.0
	for i, v := range sizes {
		sum += v
		if t := (sum - radius) / float64(i+1); v > t {
			threshold = t
		}
	}
	for i, v := range u {
		u[i] = sign(v) * max(0, math.Abs(v)-threshold)
	}
}

// random sets u to a random direction: even over the sphere, the cube's corners or the faces of the
// cross-polytope.
func (b *ball) random(u []float64, source *stream.Source) {
	for i := range u {
		v := source.Normal()
		switch b.Norm {
		case family.LInf:
			v = math.Copysign(1, v)
		case family.L1:
			v = math.Copysign(source.Exponential(), v)
		}
		u[i] = v
	}
}

// longest is the coordinate along which the region reaches farthest.
func (b *ball) longest() int {
	best := 0
	for i := range b.Dim {
		if b.scale(i) > b.scale(best) {
			best = i
		}
	}
	return best
}
