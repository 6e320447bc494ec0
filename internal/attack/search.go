package attack

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ucan/smooth"
	"ucan/smooth/stream"
)

// The sample indices of phase Audit, apart from each other: those that judge from 0, those that
// compare candidates, those of ascents, and the sources of random directions.
const (
	screenFrom = 1 << 40
	ascentFrom = 2 << 40
	randomFrom = 3 << 40
)

// Attacker searches the regions of certificates. It is not safe for concurrent use.
type Attacker struct {
	votes   Sampler
	slope   Slope
	drawer  *smooth.Smoother // fills slope's rows with noisy copies; nil without a slope
	dim     int
	options Options

	sum []float64 // of the gradients of one step
}

// Sampler draws votes of the smoothed classifier; *[smooth.Smoother] is one.
type Sampler interface {
	Sample(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, phase stream.Phase, from, to uint64) (smooth.Counts, error)
}

// keeper takes the place of a classifier so that noisy copies appear in a slope's rows, exactly as
// a classifier gets them.
type keeper struct {
	rows   []float32
	labels []int32
}

// Input implements smooth.Classifier.
func (k keeper) Input() []float32 { return k.rows }

// Classify implements smooth.Classifier.
func (k keeper) Classify(_ context.Context, rows int) ([]int32, error) { return k.labels[:rows], nil }

// New returns an attacker of inputs of dim values. slope may be nil, for random search alone.
func New(votes Sampler, slope Slope, dim int, o Options) (*Attacker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	a := &Attacker{votes: votes, dim: dim, options: o}
	if slope == nil || o.Restarts == 0 {
		return a, nil
	}
	a.slope, a.sum = slope, make([]float64, dim)
	rows := slope.Rows()
	var err error
	a.drawer, err = smooth.New([]smooth.Classifier{keeper{rows, make([]int32, len(rows)/dim)}}, smooth.Config{Dim: dim, Classes: 1, Seed: o.Seed})
	return a, err
}

// point is a candidate with its votes so far.
type point struct {
	how   string
	y     []float32
	votes smooth.Counts
	rank  float64 // the attack wants the least
}

// search returns the candidate at which the certified class does worst: the half at which it does
// worse is sampled twice as often, until one is left; the first made wins a tie.
func (a *Attacker) search(ctx context.Context, c Claim) (point, error) {
	s := &searcher{Attacker: a, claim: c}
	for _, r := range c.Regions {
		s.balls = append(s.balls, newBall(r))
	}
	s.u, s.g, s.delta = make([]float64, a.dim), make([]float64, a.dim), make([]float64, a.dim)
	for _, step := range []func(context.Context) error{s.ascents, s.axes, s.directions} {
		if err := step(ctx); err != nil {
			return point{}, err
		}
	}
	s.points = append(s.points, point{how: "clean input", y: c.X})
	n := uint64(a.options.Screen)
	for {
		for i := range s.points {
			if err := s.screen(ctx, &s.points[i], n); err != nil {
				return point{}, err
			}
		}
		slices.SortStableFunc(s.points, func(p, q point) int { return cmp.Compare(p.rank, q.rank) })
		if s.points = s.points[:(len(s.points)+1)/2]; len(s.points) == 1 {
			return s.points[0], nil
		}
		n *= 2
	}
}

// screen draws n more samples of a candidate and ranks it by all.
func (s *searcher) screen(ctx context.Context, p *point, n uint64) error {
	counts, err := s.sample(ctx, s.claim, p.y, screenFrom+uint64(p.votes.N), n)
	if err != nil {
		return err
	}
	if p.votes.PerClass == nil {
		p.votes.PerClass = make([]int64, len(counts.PerClass))
	}
	for k, v := range counts.PerClass {
		p.votes.PerClass[k] += v
	}
	p.votes.Invalid += counts.Invalid
	p.votes.N += counts.N
	if s.claim.Rank != nil {
		p.rank, err = s.claim.Rank(ctx, p.y, p.votes)
		return err
	}
	p.rank = margin(p.votes, s.claim.Class)
	return nil
}

// runnerUp is the class with most votes beside the given one; smooth.NoVote where samples without a
// vote are more.
func runnerUp(c smooth.Counts, class int) (rival int, votes int64) {
	rival, votes = int(smooth.NoVote), c.Invalid
	for k, v := range c.PerClass {
		if k != class && v > votes {
			rival, votes = k, v
		}
	}
	return rival, votes
}

// margin is by how large a share of the samples the class leads.
func margin(c smooth.Counts, class int) float64 {
	_, votes := runnerUp(c, class)
	return float64(c.Votes(class)-votes) / float64(c.N)
}

// searcher is the search in one claim's regions.
type searcher struct {
	*Attacker
	claim       Claim
	balls       []*ball
	u, g, delta []float64
	points      []point
}

// add makes x + delta a candidate.
func (s *searcher) add(how string) error {
	y, err := s.claim.place(s.delta)
	if err == nil {
		s.points = append(s.points, point{how: how, y: y})
	}
	return err
}

// sample draws n votes at y from a sample index on.
func (a *Attacker) sample(ctx context.Context, c Claim, y []float32, from, n uint64) (smooth.Counts, error) {
	noise, err := c.Noise(ctx, y)
	if err != nil {
		return smooth.Counts{}, err
	}
	id := smooth.InputID(y) // of the point, so that each has samples of its own
	if c.Still {
		y = c.X
	}
	return a.votes.Sample(ctx, y, id, noise, stream.Audit, from, from+n)
}

// ascents climbs the loss from 0 and from random points, in the coordinates of each region in turn.
func (s *searcher) ascents(ctx context.Context) error {
	if s.slope == nil {
		return nil
	}
	for k := range s.options.Restarts * len(s.balls) {
		b := s.balls[k%len(s.balls)]
		if err := s.ascend(ctx, b, k); err != nil {
			return fmt.Errorf("ascent %d: %w", k+1, err)
		}
	}
	return nil
}

// ascend climbs in the coordinates of one region and tries where it ends, and the boundary behind.
func (s *searcher) ascend(ctx context.Context, b *ball, k int) error {
	clear(s.u)
	if k >= len(s.balls) {
		source := s.source(uint64(k))
		b.random(s.u, &source)
		b.delta(s.delta, s.u)
		reach, err := b.MaxScale(s.delta)
		if err != nil {
			return err
		}
		for i := range s.u {
			s.u[i] *= reach * source.Float64Open()
		}
	}
	for step := range s.options.Steps {
		b.delta(s.delta, s.u)
		if err := s.limit(s.u); err != nil {
			return err
		}
		if err := s.climb(ctx, b, k, step); err != nil {
			return err
		}
		if !b.steepest(s.g) {
			break // flat: nothing to follow
		}
		along := 2.5 * b.R / float64(s.options.Steps)
		if s.options.Steps > 4 && step >= s.options.Steps*3/4 {
			along /= 4 // settle
		}
		for i, g := range s.g {
			s.u[i] += along * g
		}
		b.project(s.u)
	}
	b.delta(s.delta, s.u)
	if err := s.limit(s.u); err != nil {
		return err
	}
	if err := s.add("gradient"); err != nil {
		return err
	}
	return s.boundary("gradient, boundary")
}

// limit scales u, and delta with it, into all regions.
func (s *searcher) limit(u []float64) error {
	reach, err := s.claim.Regions.MaxScale(s.delta)
	if err != nil || reach >= 1 {
		return err
	}
	for i := range u {
		u[i] *= reach
		s.delta[i] *= reach
	}
	return nil
}

// climb sets g to the gradient by u of the loss at x + delta, over fresh noise.
func (s *searcher) climb(ctx context.Context, b *ball, k, step int) error {
	y := make([]float32, s.dim)
	for i, v := range s.claim.X {
		y[i] = float32(float64(v) + s.delta[i])
	}
	if s.claim.Lattice || s.claim.Low != nil || s.claim.High != nil { // only some inputs are points
		var err error
		if y, err = s.claim.place(s.delta); err != nil {
			return err
		}
	}
	noise, err := s.claim.Noise(ctx, y)
	if err != nil {
		return err
	}
	base := y
	if s.claim.Still {
		base = s.claim.X
	}
	rows := len(s.slope.Rows()) / s.dim
	from := ascentFrom + uint64((k*s.options.Steps+step)*rows)
	if _, err = s.drawer.Sample(ctx, base, s.claim.ID, noise, stream.Audit, from, from+uint64(rows)); err != nil {
		return err
	}
	_, gradient, err := s.slope.Step(ctx, s.claim.Class)
	if err != nil {
		return err
	}
	clear(s.sum)
	for i, v := range gradient {
		s.sum[i%s.dim] += float64(v)
	}
	if s.claim.Through != nil {
		if err = s.claim.Through(ctx, s.sum, Drawn{y, base, noise, s.slope.Rows(), gradient, k}); err != nil {
			return err
		}
	} else if s.claim.Still {
		clear(s.sum) // the point changes nothing that the gradient knows of
	}
	b.slope(s.g, s.sum)
	return nil
}

// boundary makes delta, scaled to the boundary, a candidate.
func (s *searcher) boundary(how string) error {
	reach, err := s.claim.Regions.MaxScale(s.delta)
	if err != nil || !(reach > 1e-9) || reach > 1e300 {
		return err // no direction, or no extent
	}
	for i := range s.delta {
		s.delta[i] *= reach
	}
	return s.add(how)
}

// axes tries the longest axis of every region, and the one with the steepest slope at x.
func (s *searcher) axes(ctx context.Context) error {
	for _, b := range s.balls {
		axes := map[string]int{"longest axis": b.longest()}
		if s.slope != nil {
			clear(s.delta)
			if err := s.climb(ctx, b, s.options.Restarts*len(s.balls), 0); err != nil {
				return err
			}
			axes["steepest axis"] = steepestAxis(s.g)
		}
		for _, how := range []string{"longest axis", "steepest axis"} {
			axis, found := axes[how]
			if !found {
				continue
			}
			for _, direction := range []float64{1, -1} {
				clear(s.u)
				s.u[axis] = direction
				b.delta(s.delta, s.u)
				if err := s.boundary(how); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func steepestAxis(g []float64) int {
	best := 0
	for i, v := range g {
		if v*v > g[best]*g[best] {
			best = i
		}
	}
	return best
}

// directions tries random directions, those of each region in turn.
func (s *searcher) directions(context.Context) error {
	for k := range s.options.Random {
		b := s.balls[k%len(s.balls)]
		source := s.source(uint64(1<<32 + k))
		b.random(s.u, &source)
		b.delta(s.delta, s.u)
		if err := s.boundary("random direction"); err != nil {
			return err
		}
	}
	return nil
}

// source is that of the k-th random choice for the input.
func (s *searcher) source(k uint64) stream.Source {
	return stream.New(s.options.Seed, s.claim.ID, stream.Audit).Source(randomFrom + k)
}
