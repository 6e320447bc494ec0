package perinput

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// Classifier is the frozen base classifier. Slices are valid until the next call.
type Classifier interface {
	// Probabilities returns the class probabilities of rows of the source: for len(x)/d rows, K ≥ 2
	// values each.
	Probabilities(ctx context.Context, x []float32) ([]float32, error)
	// Gradient returns the gradient by x of Σ_r Σ_k weights[r·K+k]·p_k(x_r); p is what
	// Probabilities returned for x.
	Gradient(ctx context.Context, x, p, weights []float32) ([]float32, error)
}

// Result is the field of one input.
type Result struct {
	// Sigma is the scale field; no value is below Start, the isotropic scale that the optimisation
	// began with.
	Sigma []float32
	Start float32
	// Class is what the classifier under the start's noise says.
	Class int
	// Certifiable is false when no isotropic scale on the grid gave a bound on p above 1/2: the
	// field is then the start, the scale with the best bound.
	Certifiable bool
	// StartALM and ALM estimate the certified ALM of the start and of Sigma from the votes on the
	// same fresh noise; ALM ≥ StartALM. StartProxy and Proxy are the soft objective without its κ
	// term, G·(∏σ)^{1/d}, on that noise.
	StartALM, ALM, StartProxy, Proxy float64
	// Blend is θ of the field that won, from 0 (the start) to 1 (the optimum of the soft
	// objective).
	Blend float64
}

// ErrInput reports an input that no field can be made for.
var ErrInput = errors.New("perinput: unusable input")

// Optimise makes the field for the input x with hash id (smooth.InputID). It is a function of
// classifier, x, id and c. Errors are the classifier's, an invalid c, and [ErrInput] for an x that
// is empty or not finite.
func Optimise(ctx context.Context, f Classifier, x []float32, id [32]byte, c Config) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if len(x) == 0 || slices.ContainsFunc(x, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }) {
		return Result{}, fmt.Errorf("%w: it is empty or not finite", ErrInput)
	}
	if c.Basis != nil && c.Basis.Dim() != len(x) {
		return Result{}, fmt.Errorf("perinput: the basis %s has %d coordinates and the input %d", c.Basis.Name(), c.Basis.Dim(), len(x))
	}
	o := &optimiser{
		config: c, classifier: f, x: x,
		noise: drawer{config: c, key: stream.New(c.Seed, id, stream.NPG), x: x},
	}
	return o.run(ctx)
}

// optimiser is the optimisation for one input.
type optimiser struct {
	config     Config
	classifier Classifier
	x          []float32
	noise      drawer
	used       uint64 // samples of the stream drawn so far
}

// take reserves n fresh samples.
func (o *optimiser) take(n int) (from uint64) {
	from = o.used
	o.used += uint64(n)
	return from
}

func (o *optimiser) run(ctx context.Context) (Result, error) {
	start, class, certifiable, err := o.start(ctx)
	if err != nil {
		return Result{}, err
	}
	r := Result{Start: start, Class: class, Certifiable: certifiable, Sigma: slices.Repeat([]float32{start}, len(o.x))}
	if !certifiable {
		return r, nil
	}
	sigma, err := o.ascend(ctx, start, class)
	if err != nil {
		return Result{}, err
	}
	return o.choose(ctx, r, sigma)
}

// start searches the isotropic scales. All are tried on the same noise, so that they differ by
// scale alone.
func (o *optimiser) start(ctx context.Context) (scale float32, class int, certifiable bool, err error) {
	low, high := o.config.search()
	floor, _ := o.config.Limits.Float32()
	from := o.take(o.config.Votes)
	best, bestBound := -1.0, -1.0
	for i := range o.config.GridSize {
		s := float32(low * math.Pow(high/low, float64(i)/float64(o.config.GridSize-1)))
		s = min(max(s, floor), float32(o.config.Limits.Ceiling))
		field := slices.Repeat([]float32{s}, len(o.x))
		v, err := o.votes(ctx, field, from, -1)
		if err != nil {
			return 0, 0, false, err
		}
		radius := float64(s) * v.radius
		if radius > best || radius == best && v.bound > bestBound {
			best, bestBound, scale, class = radius, v.bound, s, v.class
		}
	}
	return scale, class, best > 0, nil
}

// ascend runs Adam from the isotropic start.
func (o *optimiser) ascend(ctx context.Context, start float32, class int) ([]float32, error) {
	d := len(o.x)
	low, high := math.Log(float64(start)), math.Log(o.config.Limits.Ceiling)
	t := slices.Repeat([]float64{low}, d)
	sigma := slices.Repeat([]float32{start}, d)
	grad, volumeGrad := make([]float64, d), make([]float64, d)
	state := newAdam(d)
	for range o.config.Iterations {
		g, err := o.slopes(ctx, sigma, class, o.take(o.config.Samples), grad)
		if err != nil {
			return nil, err
		}
		scale := volume(t, o.config.Kappa, volumeGrad)
		for i := range grad {
			grad[i] = scale*grad[i] + g.value*volumeGrad[i]
		}
		state.ascend(t, grad, o.config.LearningRate)
		for i, v := range t {
			t[i] = min(max(v, low), high)
			sigma[i] = min(max(float32(math.Exp(t[i])), start), float32(o.config.Limits.Ceiling))
		}
	}
	return sigma, nil
}

// slopes returns G under the field and fills grad with ∂G/∂log σ.
func (o *optimiser) slopes(ctx context.Context, sigma []float32, class int, from uint64, grad []float64) (gap, error) {
	n, d := o.config.Samples, len(o.x)
	rows := o.noise.rows(sigma, from, n)
	p, err := o.classifier.Probabilities(ctx, rows)
	if err != nil {
		return gap{}, fmt.Errorf("perinput: classify: %w", err)
	}
	k := len(p) / n
	mean, other, err := meanProbabilities(p, n, class)
	if err != nil {
		return gap{}, err
	}
	g, err := o.config.gap(d, mean[class], mean[other])
	if err != nil {
		return gap{}, fmt.Errorf("perinput: %w", err)
	}
	weights := make([]float32, n*k)
	for r := range n {
		weights[r*k+class], weights[r*k+other] = float32(g.byA), float32(g.byB)
	}
	byRow, err := o.classifier.Gradient(ctx, rows, p, weights)
	if err != nil {
		return gap{}, fmt.Errorf("perinput: gradient: %w", err)
	}
	if len(byRow) != n*d {
		return gap{}, fmt.Errorf("perinput: a gradient of %d values for %d rows of %d", len(byRow), n, d)
	}
	o.noise.pull(byRow, sigma, from, n, grad)
	return g, nil
}

// meanProbabilities averages over rows and finds the leading class other than the given one.
func meanProbabilities(p []float32, rows, class int) (mean []float64, other int, err error) {
	k := len(p) / rows
	if k < 2 || len(p)%rows != 0 || class >= k {
		return nil, 0, fmt.Errorf("perinput: %d probabilities for %d rows and class %d", len(p), rows, class)
	}
	mean = make([]float64, k)
	for i, v := range p {
		if math.IsNaN(float64(v)) {
			return nil, 0, fmt.Errorf("%w: the classifier gives NaN under noise", ErrInput)
		}
		mean[i%k] += float64(v) / float64(rows)
	}
	other = -1
	for i, v := range mean {
		if i != class && (other < 0 || v > mean[other]) {
			other = i
		}
	}
	return mean, other, nil
}

// vote is what noisy copies say of a field.
type vote struct {
	class  int
	bound  float64 // lower bound on the class's probability
	radius float64 // λR₁(bound), 0 where it abstains
	mean   []float64
	other  int
}

// votes lets copies vote. A negative class takes the leading one.
func (o *optimiser) votes(ctx context.Context, sigma []float32, from uint64, class int) (vote, error) {
	n := o.config.Votes
	p, err := o.classifier.Probabilities(ctx, o.noise.rows(sigma, from, n))
	if err != nil {
		return vote{}, fmt.Errorf("perinput: classify: %w", err)
	}
	counts := tally(p, n)
	if class < 0 {
		class = slices.Index(counts, slices.Max(counts))
	}
	v := vote{class: class}
	if v.mean, v.other, err = meanProbabilities(p, n, class); err != nil {
		return vote{}, err
	}
	if v.bound, err = stats.ClopperPearsonLower(counts[class], int64(n), o.config.Alpha); err != nil {
		return vote{}, fmt.Errorf("perinput: %w", err)
	}
	radius, err := o.config.Family.Radius(o.config.Norm, len(o.x), v.bound)
	if err != nil {
		return vote{}, fmt.Errorf("perinput: %w", err)
	}
	v.radius = o.config.Lambda * radius
	return v, nil
}

// tally counts arg-max votes; a row whose maximum is attained twice does not vote.
func tally(p []float32, rows int) []int64 {
	k := len(p) / rows
	counts := make([]int64, k)
	for r := range rows {
		row := p[r*k : (r+1)*k]
		best, tied := 0, false
		for i := 1; i < k; i++ {
			switch {
			case row[i] > row[best]:
				best, tied = i, false
			case row[i] == row[best]:
				tied = true
			}
		}
		if !tied {
			counts[best]++
		}
	}
	return counts
}

// blends are the θ that are tried, from the start on.
func blends() []float64 { return []float64{0, 0.25, 0.5, 0.75, 1} }

// choose takes the field between start and optimum with the largest estimate of the certified ALM.
func (o *optimiser) choose(ctx context.Context, r Result, sigma []float32) (Result, error) {
	from := o.take(o.config.Votes)
	best := math.Inf(-1)
	for _, theta := range blends() {
		field := blend(r.Start, sigma, theta)
		v, err := o.votes(ctx, field, from, r.Class)
		if err != nil {
			return Result{}, err
		}
		size := geometricMean(field)
		g, err := o.config.gap(len(o.x), v.mean[r.Class], v.mean[v.other])
		if err != nil {
			return Result{}, fmt.Errorf("perinput: %w", err)
		}
		alm, proxy := size*v.radius, size*g.value
		if alm > best || alm == best && alm > 0 { // the start where none is certified, else the widest of the best
			best = alm
			r.Sigma, r.ALM, r.Proxy, r.Blend = field, alm, proxy, theta
		}
		if theta == 0 {
			r.StartALM, r.StartProxy = alm, proxy
		}
	}
	return r, nil
}

// blend returns start^{1−θ}·sigma^θ, never below start.
func blend(start float32, sigma []float32, theta float64) []float32 {
	out := make([]float32, len(sigma))
	for i, s := range sigma {
		ratio := float64(s) / float64(start)
		out[i] = max(start, min(s, float32(float64(start)*math.Pow(ratio, theta))))
	}
	return out
}

func geometricMean(field []float32) float64 {
	sum := 0.0
	for _, v := range field {
		sum += math.Log(float64(v))
	}
	return math.Exp(sum / float64(len(field)))
}
