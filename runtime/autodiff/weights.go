package autodiff

import (
	"context"
	"errors"
	"time"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// inputWeights keeps one session, which reads the weights where the caller writes them.
type inputWeights struct {
	sess    *runtime.Session
	in, out []*runtime.Tensor
	mine    []*runtime.Tensor // the tensors over the weights
}

func newInputWeights(ctx context.Context, x *Executor, opts runtime.SessionOptions) (_ *inputWeights, err error) {
	w := &inputWeights{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	b, err := x.grad.Model.Marshal()
	if err != nil {
		return nil, err
	}
	if w.sess, err = x.rt.NewSession(ctx, b, opts); err != nil {
		return nil, err
	}
	for _, in := range w.sess.Inputs() {
		if data := x.weights[in.Name]; data != nil {
			t, err := runtime.NewTensor(x.rt, in.Dims, data)
			if err != nil {
				return nil, err
			}
			w.mine = append(w.mine, t)
			w.in = append(w.in, t)
			continue
		}
		w.in = append(w.in, x.data[in.Name])
	}
	for _, o := range x.outputs {
		w.out = append(w.out, x.results[o])
	}
	return w, nil
}

func (w *inputWeights) update(context.Context) error { return nil }

func (w *inputWeights) run(ctx context.Context) error { return w.sess.Run(ctx, w.in, w.out) }

func (w *inputWeights) close() error {
	err := w.sess.Close()
	for _, t := range w.mine {
		err = errors.Join(err, t.Close())
	}
	return err
}

// constantWeights builds a session for every new set of weights.
type constantWeights struct {
	x    *Executor
	opts runtime.SessionOptions
	sess *runtime.Session
	in   []*runtime.Tensor
	out  []*runtime.Tensor
}

func newConstantWeights(x *Executor, opts runtime.SessionOptions) (*constantWeights, error) {
	w := &constantWeights{x: x, opts: opts}
	for _, o := range x.outputs {
		w.out = append(w.out, x.results[o])
	}
	return w, nil
}

func (w *constantWeights) update(ctx context.Context) error {
	m, err := w.x.grad.Model.WithFloats(w.x.weights)
	if err != nil {
		return err
	}
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	// The old session goes first, so that its memory can be used again.
	old := w.sess
	w.sess = nil
	if err = old.Close(); err != nil {
		return err
	}
	if w.sess, err = w.x.rt.NewSession(ctx, b, w.opts); err != nil {
		return err
	}
	w.in = w.in[:0]
	for _, in := range w.sess.Inputs() {
		w.in = append(w.in, w.x.data[in.Name])
	}
	return nil
}

func (w *constantWeights) run(ctx context.Context) error {
	if w.sess == nil {
		return errors.New("there is no session since the last update failed")
	}
	return w.sess.Run(ctx, w.in, w.out)
}

func (w *constantWeights) close() error { return w.sess.Close() }

// measureSteps is how many steps a mode is timed for; the best counts.
const measureSteps = 3

// measureExecutor opens the faster of the two modes, each step counted with the renewal of the
// weights. Without weights among Wrt there is nothing to choose.
func measureExecutor(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts ExecutorOptions) (*Executor, error) {
	some := false
	for _, w := range opts.Wrt {
		some = some || m.Initializer(w) != nil
	}
	var best *Executor
	var bestTime time.Duration
	for _, mode := range []WeightMode{WeightsAsConstants, WeightsAsInputs} {
		opts.Mode = mode
		x, err := openExecutor(ctx, rt, m, opts)
		if err != nil {
			return nil, errors.Join(err, closeIf(best))
		}
		if !some {
			return x, nil
		}
		t, err := timeSteps(ctx, x)
		if err != nil {
			return nil, errors.Join(err, x.Close(), closeIf(best))
		}
		if best == nil || t < bestTime {
			best, x, bestTime = x, best, t
		}
		if err := closeIf(x); err != nil {
			return nil, errors.Join(err, closeIf(best))
		}
	}
	return best, nil
}

func closeIf(x *Executor) error {
	if x == nil {
		return nil
	}
	return x.Close()
}

// timeSteps returns the time of the fastest of a few steps.
func timeSteps(ctx context.Context, x *Executor) (time.Duration, error) {
	best := time.Duration(1<<63 - 1)
	for range measureSteps {
		x.Changed()
		start := time.Now()
		if err := x.Step(ctx); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
