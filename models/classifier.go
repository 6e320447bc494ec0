package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ucan/models/internal/rewrite"
	"ucan/models/rows"
	"ucan/runtime"
	"ucan/runtime/onnx/soundness"
)

// Classifier is a session of a prepared model at one physical batch. It implements
// smooth.Classifier; one worker owns it at a time.
type Classifier struct {
	sess   *runtime.Session
	in     []*runtime.Tensor
	out    []*runtime.Tensor
	input  []float32
	labels []int32
}

// mostValues bounds batch × d of a classifier: 1 GiB of input.
const mostValues = 1 << 28

// Classifier makes a session that runs at the given physical batch, at least 1 and
// the model's own where that is fixed ([Model.FixedBatch]), on intraOp threads, at
// least 1. Close it after use.
//
// The physical batch and the number of threads are choices that may change the last
// bits of a score: record them with the results.
func (m *Model) Classifier(ctx context.Context, batch, intraOp int) (*Classifier, error) {
	return m.classifier(ctx, batch, intraOp, 1)
}

// classifier is Classifier for one of several that will run at the same time.
func (m *Model) classifier(ctx context.Context, batch, intraOp, concurrent int) (_ *Classifier, err error) {
	switch {
	case batch < 1:
		return nil, fmt.Errorf("open classifier: batch %d; give at least 1", batch)
	case m.fixedBatch > 0 && batch != m.fixedBatch:
		return nil, fmt.Errorf("open classifier: %w", m.wrongBatch(batch))
	case batch > rows.MostRows:
		return nil, fmt.Errorf("open classifier: batch %d; give at most %d", batch, rows.MostRows)
	case batch > mostValues/m.Dim():
		return nil, fmt.Errorf("open classifier: batch %d of %d values each takes over 1 GiB; give a smaller batch", batch, m.Dim())
	}
	opts := m.opts.Session
	opts.IntraOp, opts.Concurrent, opts.Outputs = intraOp, concurrent, []string{rewrite.LabelName}
	opts.RunLimit = m.rowTime.limit(opts.RunLimit, runningLimit, batch)
	sess, err := m.rt.NewSession(ctx, m.bytes, opts)
	if err != nil {
		return nil, fmt.Errorf("open classifier: %w", err)
	}
	c := &Classifier{sess: sess, input: make([]float32, batch*m.Dim()), labels: make([]int32, batch)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	in, err := runtime.NewTensor(m.rt, batchShape(c.input, m.source), c.input)
	if err != nil {
		return nil, fmt.Errorf("open classifier: %w", err)
	}
	c.in = []*runtime.Tensor{in}
	out, err := runtime.NewTensor(m.rt, []int64{int64(batch)}, c.labels)
	if err != nil {
		return nil, fmt.Errorf("open classifier: %w", err)
	}
	c.out = []*runtime.Tensor{out}
	return c, nil
}

// wrongBatch is the error for a batch that a model does not run at. Where its rows are not
// proved independent, nothing that the user could choose makes it sound.
func (m *Model) wrongBatch(batch int) error {
	if r := m.report.Rows; r != nil && !r.Proved {
		return fmt.Errorf("batch %d: %w", batch, soundness.Refuse(
			fmt.Sprintf("the rows of a batch are not proved independent (%s), so they run one a call", r.place()), "leave the batch out, or give 1"))
	}
	return fmt.Errorf("batch %d; model %s runs at batch %d only", batch, m.Name(), m.fixedBatch)
}

// Classifiers makes workers classifiers that are meant to run at the same time.
// Close each of them after use.
func (m *Model) Classifiers(ctx context.Context, workers, batch, intraOp int) (_ []*Classifier, err error) {
	if workers < 1 {
		return nil, fmt.Errorf("open classifiers: %d workers; give at least 1", workers)
	}
	var all []*Classifier
	for range workers {
		c, cerr := m.classifier(ctx, batch, intraOp, workers)
		if cerr != nil {
			for _, c := range all {
				cerr = errors.Join(cerr, c.Close())
			}
			return nil, cerr
		}
		all = append(all, c)
	}
	return all, nil
}

// RowTime is the longest time that a row took while the model was opened, on one thread.
func (m *Model) RowTime() time.Duration { return m.rowTime.longest }

// Input returns the batch × d buffer, row-major in the source's layout, that the
// session reads in place.
func (c *Classifier) Input() []float32 { return c.input }

// Batch returns the physical batch.
func (c *Classifier) Batch() int { return len(c.labels) }

// Provider returns the provider that runs the session.
func (c *Classifier) Provider() string { return c.sess.Provider() }

// Fallbacks lists the providers that were passed over, or did not get all nodes, with the reasons.
func (c *Classifier) Fallbacks() []runtime.Fallback { return c.sess.Fallbacks() }

// Classify runs the whole batch and returns the labels of the first rows, −1 where a
// row gives no vote. The rows behind them are padding: whatever the buffer holds.
func (c *Classifier) Classify(ctx context.Context, rows int) ([]int32, error) {
	if rows < 1 || rows > len(c.labels) {
		return nil, fmt.Errorf("classify: %d rows in a batch of %d", rows, len(c.labels))
	}
	if err := c.sess.Run(ctx, c.in, c.out); err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	return c.labels[:rows], nil
}

// Close releases the session. Further calls do nothing.
func (c *Classifier) Close() error {
	if c == nil {
		return nil
	}
	err := c.sess.Close()
	for _, t := range append(c.in, c.out...) {
		err = errors.Join(err, t.Close())
	}
	c.in, c.out = nil, nil
	return err
}
