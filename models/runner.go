package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ucan/models/internal/rewrite"
	"ucan/models/trial"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// runner runs graphs while a model is opened: one session at a time, one thread.
type runner struct {
	rt      *runtime.Runtime
	source  []int // shape of a row
	opts    runtime.SessionOptions
	trial   runtime.ProbeOptions
	skip    bool // no trial loads
	rowTime *rowTime
}

// rowTime is the longest time that a row has taken so far.
type rowTime struct{ longest time.Duration }

// Limits of a run of a model: while it is opened, and afterwards.
const (
	openingLimit = 15 * time.Second
	runningLimit = time.Minute
	// slower: a run is given up when it takes this many times as long as measured.
	slower = 50
)

// limit is what a run of so many rows may take: what the caller says, or least, or many
// times what rows took before.
func (t *rowTime) limit(asked, least time.Duration, rows int) time.Duration {
	if asked > 0 {
		return asked
	}
	return max(least, slower*time.Duration(rows)*t.longest)
}

// took notes what a run of rows took.
func (t *rowTime) took(since time.Time, rows int) {
	t.longest = max(t.longest, time.Since(since)/time.Duration(max(rows, 1)))
}

func newRunner(rt *runtime.Runtime, source []int, weights string, o Options) *runner {
	opts := o.Session
	opts.IntraOp = max(opts.IntraOp, 1)
	opts.Concurrent = 0
	opts.NoArena = true // the largest batches run here, and once: what an arena keeps of them is never needed again
	e := &runner{
		rt: rt, source: source, opts: opts, skip: o.SkipLoadTrial || !runtime.Probed(), rowTime: new(rowTime),
		trial: runtime.ProbeOptions{Session: opts, Timeout: cmp.Or(o.LoadTimeout, opts.RunLimit), Known: "-", Weights: weights},
	}
	if o.CacheDir != "" {
		e.trial.Known = filepath.Join(o.CacheDir, "known-models")
	}
	return e
}

// runApart loads a graph and runs it once in a process of its own, where that is
// possible: onnxruntime can abort on a damaged one.
func (e *runner) runApart(ctx context.Context, m *onnx.Model) error { return e.probe(ctx, m, e.trial) }

// checkLoads loads a file as it stands, before anything is removed from it or changed: a
// certificate names the file, so onnxruntime must take all of it. It runs nothing.
func (e *runner) checkLoads(ctx context.Context, m *onnx.Model) error {
	if err := checkFaults(e.rt.Version(), m); err != nil {
		return err
	}
	o := e.trial
	o.LoadOnly = true
	return e.probe(ctx, m, o)
}

func (e *runner) probe(ctx context.Context, m *onnx.Model, o runtime.ProbeOptions) error {
	if e.skip && !o.LoadOnly {
		return nil
	}
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	if e.skip {
		return e.rt.Accepts(ctx, b, o.Session)
	}
	return e.rt.ProbeLoad(ctx, b, o)
}

func (e *runner) session(ctx context.Context, m *onnx.Model) (*runtime.Session, error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	opts := e.opts
	// The largest batch that is tried; large files may take longer to warm up.
	opts.RunLimit = e.rowTime.limit(opts.RunLimit, openingLimit+time.Duration(len(b)>>20)*time.Second/4, 257)
	return e.rt.NewSession(ctx, b, opts)
}

// measure runs m on rows of the source and returns the shape of one of its values.
func (e *runner) measure(ctx context.Context, m *onnx.Model, value string, rows []float32) (shape []int64, err error) {
	mm, err := rewrite.WithShape(m, value)
	if err != nil {
		return nil, err
	}
	if mm, err = mm.WithoutDead(); err != nil {
		return nil, err
	}
	plain := *e
	// Optimised, onnxruntime answers from declared shapes and runs nothing.
	plain.opts.Optimization = runtime.OptimizeNone
	sess, err := plain.session(ctx, mm)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sess.Close()) }()
	in, err := runtime.NewTensor(e.rt, batchShape(rows, e.source), rows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	got := make([]int64, 1+rewrite.MaxRank)
	out, err := runtime.NewTensor(e.rt, []int64{1 + rewrite.MaxRank}, got)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	begin := time.Now()
	if err := sess.Run(ctx, []*runtime.Tensor{in}, []*runtime.Tensor{out}); err != nil {
		return nil, err
	}
	e.rowTime.took(begin, len(rows)/product(e.source))
	if got[0] > rewrite.MaxRank {
		return nil, fmt.Errorf("value %q has %d dimensions", value, got[0])
	}
	return got[1 : 1+got[0]], nil
}

func batchShape(rows []float32, source []int) []int64 {
	return append([]int64{int64(len(rows) / product(source))}, rewrite.Int64s(source)...)
}

// run runs a prepared graph's session on rows of the source, all in one batch.
func (e *runner) run(ctx context.Context, sess *runtime.Session, rows []float32, width int) (a trial.Answer, err error) {
	shape := batchShape(rows, e.source)
	in, err := runtime.NewTensor(e.rt, shape, rows)
	if err != nil {
		return trial.Answer{}, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	a = trial.Answer{Labels: make([]int32, shape[0]), Width: width}
	label, err := runtime.NewTensor(e.rt, shape[:1], a.Labels)
	if err != nil {
		return trial.Answer{}, err
	}
	defer func() { err = errors.Join(err, label.Close()) }()
	outs := []*runtime.Tensor{label}
	if slices.ContainsFunc(sess.Outputs(), func(o runtime.IO) bool { return o.Name == rewrite.ScoresName }) {
		a.Scores = make([]float32, int(shape[0])*width)
		scores, terr := runtime.NewTensor(e.rt, []int64{shape[0], int64(width)}, a.Scores)
		if terr != nil {
			return trial.Answer{}, terr
		}
		defer func() { err = errors.Join(err, scores.Close()) }()
		outs = append(outs, scores)
	}
	begin := time.Now()
	if err = sess.Run(ctx, []*runtime.Tensor{in}, outs); err == nil {
		e.rowTime.took(begin, len(a.Labels))
	}
	return a, err
}

// runBatches is run in batches of the given size, which divides the rows; 0 is all in one.
func (e *runner) runBatches(ctx context.Context, sess *runtime.Session, rows []float32, width, size int) (trial.Answer, error) {
	if size == 0 {
		return e.run(ctx, sess, rows, width)
	}
	all, step := trial.Answer{Width: width}, size*product(e.source)
	for at := 0; at < len(rows); at += step {
		a, err := e.run(ctx, sess, rows[at:at+step], width)
		if err != nil {
			return all, err
		}
		all.Labels = append(all.Labels, a.Labels...)
		all.Scores = append(all.Scores, a.Scores...)
	}
	return all, nil
}
