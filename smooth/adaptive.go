package smooth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ucan/smooth/sequential"
	"ucan/smooth/stream"
)

// AdaptiveN fixes an adaptive certification before its first sample.
type AdaptiveN struct {
	// N0 is the number of selection samples. With 0, and without LabelAware, there
	// is no selection phase: at each look the leading class is tested with all
	// samples, at corrected boundaries.
	N0 int64
	// Alpha is the failure probability, at least sequential.MinAlpha and below 1.
	Alpha float64
	// Profile holds the looks, the cap on the samples and the futility threshold:
	// sequential.Strict, Default or Fast, with their cap changed at will.
	Profile sequential.Profile
	// Grid is the ladder of radii, made by the noise that is used.
	Grid Grid
	// LabelAware tests the input's label instead of a selected class: the same
	// certified accuracy for fewer samples, and no answer beside it. N0 must be 0.
	LabelAware bool
}

// AdaptivePlan is a checked AdaptiveN for one SealedNoise, safe for concurrent
// use.
type AdaptivePlan struct {
	noise  *SealedNoise
	cfg    AdaptiveN
	plan   sequential.Plan
	tables *sequential.Tables
}

// NewAdaptive checks c for the noise s. tables keeps the boundaries, which take
// milliseconds to make: share one among all plans of a run.
//
// Boundaries test P[class] of the noise as drawn: the levels above radius 0 are
// raised by LostMass. (At radius 0 no theorem is involved.)
func (s *SealedNoise) NewAdaptive(c AdaptiveN, tables *sequential.Tables) (*AdaptivePlan, error) {
	switch {
	case tables == nil:
		return nil, errors.New("smooth: no store of boundaries; make one with sequential.NewTables")
	case c.N0 < 0:
		return nil, fmt.Errorf("smooth: n0 is %d; it must not be negative", c.N0)
	case c.LabelAware && c.N0 != 0:
		return nil, fmt.Errorf("smooth: n0 is %d; a label-aware run selects no class and needs n0 = 0", c.N0)
	case len(c.Grid.Radii) != len(c.Grid.Levels):
		return nil, errors.New("smooth: the grid has not as many levels as radii; make it with NewGrid")
	}
	c.Grid = Grid{Radii: slices.Clone(c.Grid.Radii), Levels: slices.Clone(c.Grid.Levels)}
	plan := sequential.Plan{Alpha: c.Alpha, Profile: c.Profile, Mode: sequential.Selected}
	switch {
	case c.LabelAware:
		plan.Mode = sequential.Labelled
	case c.N0 == 0:
		plan.Mode = sequential.Leading
	}
	for _, p := range c.Grid.Levels {
		if p > 0.5 {
			p = s.concede(p)
		}
		plan.Levels = append(plan.Levels, p)
	}
	if err := plan.Validate(); err != nil {
		return nil, fmt.Errorf("smooth: %w", err)
	}
	return &AdaptivePlan{noise: s, cfg: c, plan: plan, tables: tables}, nil
}

// Noise returns the noise of the plan.
func (p *AdaptivePlan) Noise() *SealedNoise { return p.noise }

// Levels returns the bounds on p_A that the plan tests, ascending.
func (p *AdaptivePlan) Levels() []float64 { return slices.Clone(p.cfg.Grid.Levels) }

// MaxRadius returns the largest radius that the plan can certify: that of the
// last level a run without a single failure rejects.
func (p *AdaptivePlan) MaxRadius() (float64, error) {
	run, err := sequential.NewRun(p.plan, p.tables)
	if err != nil {
		return 0, fmt.Errorf("smooth: %w", err)
	}
	for n, ok := run.Next(); ok; n, ok = run.Next() {
		if p.plan.Mode == sequential.Leading {
			_, err = run.ObserveVotes(n, map[int]int64{0: n})
		} else {
			_, err = run.Observe(n, 0)
		}
		if err != nil {
			return 0, fmt.Errorf("smooth: %w", err)
		}
	}
	rejected := len(run.Result().Rejected)
	if rejected == 0 {
		return 0, nil
	}
	return p.noise.Radius(p.cfg.Grid.Levels[rejected-1])
}

// AdaptiveRecord is what an adaptive certificate rests on beside its votes.
type AdaptiveRecord struct {
	AdaptiveN
	// Rejected lists the rejected levels in order; the last gives PLower.
	Rejected []sequential.Rejection
	// Stop says why the run ended.
	Stop sequential.StopReason
	// Drawn is the number of estimation samples classified: N and those of the
	// last batches that the last look did not reach. It depends on the batch.
	Drawn int64
}

// CertifyAdaptive certifies input x with as many samples as it needs: it looks at
// growing numbers of estimation samples and stops at the last grid radius, at the
// cap, or when the next radius is out of reach (package sequential). The result
// is that of a fixed number of samples in kind and in guarantee: with probability
// at least 1 − Alpha it claims nothing false. Its PLower is the level of the last
// rejected radius, and it abstains when no level is rejected; certification at
// radius 0 is a certificate.
//
// label is the tested class of a label-aware plan, which refuses unknown
// (negative) labels and labels outside the classes; other plans ignore it. Errors
// are those of Sample.
func (s *Smoother) CertifyAdaptive(ctx context.Context, x []float32, id [32]byte, p *AdaptivePlan, label int) (Certification, error) {
	if p == nil {
		return Certification{}, errors.New("smooth: no plan; make it with SealedNoise.NewAdaptive")
	}
	run, err := sequential.NewRun(p.plan, p.tables)
	if err != nil {
		return Certification{}, fmt.Errorf("smooth: %w", err)
	}
	a := &adaptiveRun{s: s, x: x, id: id, p: p, selection: newCounts(s.cfg.Classes), estimation: newCounts(s.cfg.Classes)}
	if p.cfg.LabelAware {
		if label < 0 || label >= s.cfg.Classes {
			return Certification{}, fmt.Errorf("smooth: label %d of %d classes; a label-aware run needs the label", label, s.cfg.Classes)
		}
		a.class, a.hasClass = label, true
	}
	first, ok := run.Next()
	if ok {
		if err := a.draw(ctx, first, p.cfg.N0); err != nil {
			return Certification{}, err
		}
	}
	if p.cfg.N0 > 0 {
		if a.class, _, a.hasClass = a.selection.Top(); !a.hasClass {
			ok = false
		}
	}
	for n := first; ok; n, ok = run.Next() {
		if err := a.draw(ctx, n, 0); err != nil {
			return Certification{}, err
		}
		if err := a.look(run, n); err != nil {
			return Certification{}, err
		}
	}
	return a.result(run)
}

// adaptiveRun is the state of one CertifyAdaptive.
type adaptiveRun struct {
	s                     *Smoother
	x                     []float32
	id                    [32]byte
	p                     *AdaptivePlan
	class                 int
	hasClass              bool
	labels                []int32 // of the estimation samples drawn so far
	selection, estimation Counts  // estimation: of the samples looked at
}

// draw makes sure that the first n estimation samples are drawn. It draws ahead
// to fill every worker's batch; n0 selection samples share the first batches.
func (a *adaptiveRun) draw(ctx context.Context, n, n0 int64) error {
	drawn := int64(len(a.labels))
	if drawn >= n {
		return nil
	}
	quantum := int64(a.s.quantum())
	rows := n - drawn + n0
	rows = (rows + quantum - 1) / quantum * quantum
	to := min(drawn+rows-n0, a.p.cfg.Profile.Cap)
	a.labels = slices.Grow(a.labels, int(to-drawn))[:to]
	parts := []part{{phase: stream.Estimate, from: uint64(drawn), to: uint64(to), labels: a.labels[drawn:]}}
	if n0 > 0 {
		parts = append(parts, part{phase: stream.Select, to: uint64(n0)})
	}
	if err := a.s.run(ctx, a.x, a.id, a.p.noise, parts); err != nil {
		return err
	}
	if n0 > 0 {
		a.selection = parts[1].counts
	}
	return nil
}

// look shows the first n samples to the run.
func (a *adaptiveRun) look(run *sequential.Run, n int64) error {
	for _, label := range a.labels[a.estimation.N:n] {
		if err := a.estimation.vote(label); err != nil {
			return err // cannot be: run checked every label
		}
	}
	var err error
	if a.p.plan.Mode == sequential.Leading {
		votes := map[int]int64{}
		for class, v := range a.estimation.PerClass {
			if v > 0 {
				votes[class] = v
			}
		}
		_, err = run.ObserveVotes(n, votes)
	} else {
		_, err = run.Observe(n, n-a.estimation.Votes(a.class))
	}
	if err != nil {
		return fmt.Errorf("smooth: look at %d samples: %w", n, err)
	}
	return nil
}

func (a *adaptiveRun) result(run *sequential.Run) (Certification, error) {
	r := run.Result()
	if a.p.plan.Mode == sequential.Leading {
		a.class, a.hasClass = r.Class, r.Class >= 0
	}
	c, err := a.p.certification(a.selection, a.estimation, a.class, a.hasClass, r.Rejected)
	if err != nil {
		return Certification{}, err
	}
	c.Adaptive.Stop, c.Adaptive.Drawn = r.Stop, int64(len(a.labels))
	return c, nil
}

// Conclude makes the certificate that recorded rejections support. It needs no samples, and
// re-derives stored certificates. First it checks every rejection against its boundary, the order
// of the levels, and that the votes are those of a look at which such a run can have ended
// (sequential.VerifyEnd).
//
// class is the tested class: the one that the selection samples chose, or the label. Without
// selection samples and label it is the class whose levels were rejected, and negative where no
// level was; the leading class stands for it then.
func (p *AdaptivePlan) Conclude(selection, estimation Counts, class int, rejected []sequential.Rejection) (Certification, error) {
	if _, err := sequential.Verify(p.plan, p.tables, rejected); err != nil {
		return Certification{}, fmt.Errorf("smooth: %w", err)
	}
	if p.cfg.N0 > 0 {
		top, _, ok := selection.Top()
		switch {
		case !ok:
			top = -1
		case class >= 0 && top != class:
			return Certification{}, fmt.Errorf("smooth: class %d was tested, but the selection samples chose %d", class, top)
		}
		class = top
	}
	if leading := p.plan.Mode == sequential.Leading; leading && len(rejected) == 0 {
		class = -1
		if top, _, ok := estimation.Top(); ok {
			class = top
		}
	}
	if p.cfg.N0 > 0 && class < 0 { // without a class no estimation sample is drawn
		if estimation.N > 0 || len(rejected) > 0 {
			return Certification{}, fmt.Errorf("smooth: %d estimation samples and %d rejected levels without a class to test", estimation.N, len(rejected))
		}
		return p.certification(selection, estimation, class, false, rejected)
	}
	if class < 0 && len(rejected) > 0 {
		return Certification{}, fmt.Errorf("smooth: %d rejected levels without the class that they speak of", len(rejected))
	}
	if err := sequential.VerifyEnd(p.plan, p.tables, rejected, estimation.N, estimation.N-estimation.Votes(class)); err != nil {
		return Certification{}, fmt.Errorf("smooth: %w", err)
	}
	return p.certification(selection, estimation, class, class >= 0, rejected)
}

// certification makes the record of a run that rejected these levels.
func (p *AdaptivePlan) certification(selection, estimation Counts, class int, hasClass bool, rejected []sequential.Rejection) (Certification, error) {
	c := p.noise.abstention(MethodAdaptive, p.cfg.Alpha)
	c.Selection, c.Estimation, c.HasClass = selection, estimation, hasClass
	c.Adaptive = &AdaptiveRecord{AdaptiveN: p.cfg, Rejected: rejected}
	c.warnInvalid()
	if hasClass {
		c.Class = class
	}
	if p.cfg.N0 > 0 && !hasClass {
		c.Warnings = append(c.Warnings, "no selection sample voted for a class")
	}
	if len(rejected) == 0 {
		return c, nil
	}
	c.PLower = p.cfg.Grid.Levels[len(rejected)-1]
	r, err := p.noise.Region(c.PLower)
	if err != nil {
		return Certification{}, err
	}
	return c.withRegion(r)
}
