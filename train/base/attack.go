package base

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/train"
)

// attackName is the output of the loss that the attack increases.
const attackName = "attack"

// Attack configures adversarial training of the smoothed classifier (Salman et al. 2019,
// SmoothAdv): before each step, every image is moved to where the smoothed classifier, estimated
// by the image's own draws, likes its label least.
type Attack struct {
	// Radius is how far an image is moved, ‖diag(1/s)·Uᵀδ‖₂ ≤ Radius with the scales s and the
	// basis U of the noise: the shape of the region that is certified. 0 moves none.
	Radius float64
	// Steps is the number of steps of projected gradient ascent, ≥ 1, each of 2·Radius/Steps along
	// the normalised gradient.
	Steps int
	// Scale are the scales s, one a coordinate; nil for ones.
	Scale []float32
	// Basis is that of the scales; nil for the values of the image themselves.
	Basis Basis
	// Warmup is the number of training steps in which the radius grows to its size.
	Warmup int64
}

// Basis is an orthonormal basis U, such as basis.Transform.
type Basis interface {
	// Coefficients sets dst to Uᵀx, Values to Uc.
	Coefficients(dst, x []float64)
	Values(dst, c []float64)
}

// attackLoss is −ln of the mean over an image's draws of the probability of its label, summed over
// the images: the cross-entropy of the soft smoothed classifier.
type attackLoss struct{ loss }

var _ autodiff.Loss = attackLoss{}

// Name returns the name of the loss's output.
func (attackLoss) Name() string { return attackName }

// Build adds the loss.
func (l attackLoss) Build(b *onnx.Builder, h autodiff.Head) (onnx.Value, error) {
	if len(h.Dims) != 2 || h.Dims[1] < 1 {
		return onnx.Value{}, fmt.Errorf("%w: its output has dimensions %v; training needs scores [N, classes]", autodiff.ErrNotDifferentiable, h.Dims)
	}
	n, m, k := int64(l.config.Rows), int64(l.config.Draws), max(h.Dims[1], 2)
	labels := h.Input(b, labelsInput, onnx.Int64, onnx.Fixed(n))
	s := b.Scope("ucan.attack")
	logp := s.Reshape(l.logProbabilities(s, h), n, m, k)
	hard := l.config
	hard.Smoothing = 0
	ofLabel := s.Exp(s.Sum(s.Mul(logp, target(s, labels, hard, k)), false, 2))
	mean := s.Add(s.Mean(ofLabel, false, 1), s.Scalar(onnx.Float, leastProbability))
	return s.Neg(s.Sum(s.Log(mean), false)), nil
}

// attacker moves the images of a batch. It owns a session.
type attacker struct {
	Attack
	executor *autodiff.Executor
	names    []string // of the weights
	images   []float32
	labels   []int64
	gradient []float32 // by the noisy images
	// u holds the perturbations in the coordinates of the ball, an image after another, and delta
	// the same in those of the images; a and b are of one image.
	u, delta []float64
	a, b     []float64
}

func newAttacker(ctx context.Context, rt *runtime.Runtime, net *Net, c Config, wrt []string, sizes map[string]int64) (*attacker, error) {
	a := &attacker{Attack: c.Attack, names: wrt}
	var err error
	a.executor, err = autodiff.NewExecutor(ctx, rt, net.graph, autodiff.ExecutorOptions{
		Options: autodiff.Options{
			Wrt: append(wrt[:len(wrt):len(wrt)], net.input), Losses: []autodiff.Loss{attackLoss{loss{c, net.one.shift}}}, Output: net.logits,
			Sizes: sizes, CPU: onCPU(c.Session), Rules: net.rules,
		},
		Mode: c.Mode, Session: c.Session,
	})
	if err != nil {
		return nil, fmt.Errorf("differentiate the classifier by its input: %w", err)
	}
	x := a.executor
	a.images, a.labels = x.Floats(net.input), x.Ints(x.Gradient().Input(attackName, labelsInput))
	a.gradient = x.Grad(attackName, net.input)
	d := len(a.images) / (c.Rows * c.Draws)
	if a.Scale != nil && len(a.Scale) != d {
		return nil, errors.Join(fmt.Errorf("the attack has %d scales for images of %d values", len(a.Scale), d), x.Close())
	}
	a.u, a.delta, a.a, a.b = make([]float64, c.Rows*d), make([]float64, c.Rows*d), make([]float64, d), make([]float64, d)
	return a, nil
}

// move finds the perturbations of a batch with the given weights and writes the noisy images,
// moved, to dst.
func (a *attacker) move(ctx context.Context, dst []float32, b *train.Batch, weights func(name string) []float32) error {
	for _, name := range a.names {
		copy(a.executor.Weight(name), weights(name))
	}
	a.executor.Changed()
	copy(a.labels, b.Labels)
	clear(a.u)
	clear(a.delta)
	radius := a.Radius
	if a.Warmup > 0 {
		radius *= math.Min(1, float64(b.Step+1)/float64(a.Warmup))
	}
	for range a.Steps {
		a.add(a.images, b)
		if err := a.executor.Step(ctx); err != nil {
			return err
		}
		for r := range b.Rows {
			a.ascend(r, b.Draws, 2*radius/float64(a.Steps), radius)
		}
	}
	a.add(dst, b)
	return nil
}

// add writes the noisy images, each moved as its image is.
func (a *attacker) add(dst []float32, b *train.Batch) {
	d := len(a.a)
	for row := range b.Rows * b.Draws {
		delta := a.delta[row/b.Draws*d:][:d]
		noisy, out := b.Noisy[row*d:][:d], dst[row*d:][:d]
		for i, v := range noisy {
			out[i] = v + float32(delta[i])
		}
	}
}

// ascend moves one image along its gradient. With δ = U·diag(s)·u, where the region is a ball, the
// gradient by u is diag(s)·Uᵀ·∂/∂δ.
func (a *attacker) ascend(image, draws int, step, radius float64) {
	d := len(a.a)
	u, delta := a.u[image*d:][:d], a.delta[image*d:][:d]
	g := a.a
	clear(g)
	for j := range draws {
		for i, v := range a.gradient[(image*draws+j)*d:][:d] {
			g[i] += float64(v)
		}
	}
	if a.Basis != nil {
		a.Basis.Coefficients(a.b, g)
		g = a.b
	}
	square := 0.0
	for i := range g {
		g[i] *= a.scale(i)
		square += g[i] * g[i]
	}
	if square == 0 || math.IsNaN(square) || math.IsInf(square, 0) {
		return // no direction: the image stays where it is
	}
	along := step / math.Sqrt(square)
	square = 0
	for i := range u {
		u[i] += along * g[i]
		square += u[i] * u[i]
	}
	shrink := math.Min(1, radius/math.Sqrt(square))
	scaled := a.a
	for i := range u {
		u[i] *= shrink
		scaled[i] = u[i] * a.scale(i)
	}
	if a.Basis == nil {
		copy(delta, scaled)
	} else {
		a.Basis.Values(delta, scaled)
	}
}

func (a *attacker) scale(i int) float64 {
	if a.Scale == nil {
		return 1
	}
	return float64(a.Scale[i])
}
