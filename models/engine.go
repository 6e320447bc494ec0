package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// engine runs graphs while a model is opened: one session at a time, one thread.
type engine struct {
	rt    *runtime.Runtime
	opts  runtime.SessionOptions
	trial runtime.ProbeOptions
	skip  bool // no trial loads
	pace  *pace
}

// pace is the longest time that a row has taken so far.
type pace struct{ row time.Duration }

// Limits of a run of a model: while it is opened, and afterwards.
const (
	openingLimit = 15 * time.Second
	runningLimit = time.Minute
	// slower: a run is given up when it takes this many times as long as measured.
	slower = 50
)

// limit is what a run of so many rows may take: what the caller says, or least, or many
// times what rows took before.
func (p *pace) limit(asked, least time.Duration, rows int) time.Duration {
	if asked > 0 {
		return asked
	}
	return max(least, slower*time.Duration(rows)*p.row)
}

// took notes what a run of rows took.
func (p *pace) took(since time.Time, rows int) {
	p.row = max(p.row, time.Since(since)/time.Duration(max(rows, 1)))
}

func newEngine(rt *runtime.Runtime, o Options) *engine {
	opts := o.Session
	opts.IntraOp = max(opts.IntraOp, 1)
	opts.Concurrent = 0
	e := &engine{
		rt: rt, opts: opts, skip: o.SkipLoadTrial || !runtime.Probed(), pace: new(pace),
		trial: runtime.ProbeOptions{Session: opts, Timeout: cmp.Or(o.LoadTimeout, opts.RunLimit), Known: "-"},
	}
	if o.CacheDir != "" {
		e.trial.Known = filepath.Join(o.CacheDir, "known-models")
	}
	return e
}

// survive loads a graph and runs it once in a process of its own, where that is
// possible: onnxruntime can abort on a damaged one.
func (e *engine) survive(ctx context.Context, m *onnx.Model) error { return e.try(ctx, m, e.trial) }

// accepts loads a file as it stands, before anything is removed from it or changed: a
// certificate names the file, so onnxruntime must take all of it. It runs nothing.
func (e *engine) accepts(ctx context.Context, m *onnx.Model) error {
	if err := checkFaults(e.rt.Version(), m); err != nil {
		return err
	}
	o := e.trial
	o.LoadOnly = true
	return e.try(ctx, m, o)
}

func (e *engine) try(ctx context.Context, m *onnx.Model, o runtime.ProbeOptions) error {
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

func (e *engine) session(ctx context.Context, m *onnx.Model) (*runtime.Session, error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	opts := e.opts
	// The largest batch that is tried; large files may take longer to warm up.
	opts.RunLimit = e.pace.limit(opts.RunLimit, openingLimit+time.Duration(len(b)>>20)*time.Second/4, 257)
	return e.rt.NewSession(ctx, b, opts)
}

// measure runs m on rows of the source and returns the shape of one of its values.
func (e *engine) measure(ctx context.Context, m *onnx.Model, value string, rows []float32, source []int) (shape []int64, err error) {
	mm, err := withMeasure(m, value)
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
	in, err := runtime.NewTensor(e.rt, batchShape(rows, source), rows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	got := make([]int64, 1+measured)
	out, err := runtime.NewTensor(e.rt, []int64{1 + measured}, got)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	begin := time.Now()
	if err := sess.Run(ctx, []*runtime.Tensor{in}, []*runtime.Tensor{out}); err != nil {
		return nil, err
	}
	e.pace.took(begin, len(rows)/product(source))
	if got[0] > measured {
		return nil, fmt.Errorf("value %q has %d dimensions", value, got[0])
	}
	return got[1 : 1+got[0]], nil
}

func batchShape(rows []float32, source []int) []int64 {
	return append([]int64{int64(len(rows) / product(source))}, int64s(source)...)
}

// answer is what a prepared graph says of some rows.
type answer struct {
	labels []int32
	scores []float32 // rows × width, nil for label outputs
	width  int
}

// row returns the scores of one row.
func (a answer) row(i int) []float32 { return a.scores[i*a.width : (i+1)*a.width] }

// ask runs a prepared graph's session on rows of the source, all in one batch.
func (e *engine) ask(ctx context.Context, sess *runtime.Session, rows []float32, source []int, width int) (a answer, err error) {
	shape := batchShape(rows, source)
	in, err := runtime.NewTensor(e.rt, shape, rows)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	a = answer{labels: make([]int32, shape[0]), width: width}
	label, err := runtime.NewTensor(e.rt, shape[:1], a.labels)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, label.Close()) }()
	outs := []*runtime.Tensor{label}
	if slices.ContainsFunc(sess.Outputs(), func(o runtime.IO) bool { return o.Name == scoresName }) {
		a.scores = make([]float32, int(shape[0])*width)
		scores, terr := runtime.NewTensor(e.rt, []int64{shape[0], int64(width)}, a.scores)
		if terr != nil {
			return answer{}, terr
		}
		defer func() { err = errors.Join(err, scores.Close()) }()
		outs = append(outs, scores)
	}
	begin := time.Now()
	if err = sess.Run(ctx, []*runtime.Tensor{in}, outs); err == nil {
		e.pace.took(begin, len(a.labels))
	}
	return a, err
}

// askBy is ask in batches of the given size, which divides the rows; 0 is all in one.
func (e *engine) askBy(ctx context.Context, sess *runtime.Session, rows []float32, source []int, width, size int) (answer, error) {
	if size == 0 {
		return e.ask(ctx, sess, rows, source, width)
	}
	all, step := answer{width: width}, size*product(source)
	for at := 0; at < len(rows); at += step {
		a, err := e.ask(ctx, sess, rows[at:at+step], source, width)
		if err != nil {
			return all, err
		}
		all.labels = append(all.labels, a.labels...)
		all.scores = append(all.scores, a.scores...)
	}
	return all, nil
}
