package train

import (
	"context"
	"fmt"

	"ucan/train/optim"
)

// endEpoch validates, writes the epoch's line and decides whether to go on. like names the extra
// figures.
func (l *loop) endEpoch(ctx context.Context, like []Figure, rate float64) error {
	epoch := l.epoch()
	metrics := l.at.Tally.metrics(like)
	norm := l.at.Tally.Norm / float64(l.at.Tally.Steps)
	fields := append([]field{{"kind", "epoch"}, {"epoch", epoch}, {"step", l.at.Step}}, metrics.fields()...)
	fields = append(fields, field{"rate", rate}, field{"gradient_norm", norm})

	validation, best, err := l.validate(ctx, epoch)
	if err != nil {
		return err
	}
	if validation != nil {
		fields = append(fields, field{"validation", *validation}, field{"best", best})
	}
	if err = l.log.write(append(fields, field{"seconds", l.rounded()})); err != nil {
		return err
	}
	l.at.Tally.reset()
	l.at.Loss, l.at.Noisy = metrics.Loss, metrics.Noisy
	if l.config.Patience > 0 && l.at.Stale >= l.config.Patience {
		l.at.Stopped = true
	}
	l.report(Progress{
		Epoch: epoch, Loss: metrics.Loss, Noisy: metrics.Noisy, Rate: rate,
		EpochDone: true, Validation: validation, Best: best,
	})
	return nil
}

// validate measures the weights, or their averages, when this epoch is due, and stores the best.
func (l *loop) validate(ctx context.Context, epoch int) (_ *Validation, best bool, err error) {
	every := l.config.ValidateEvery
	due := epoch == l.config.Epochs || every > 0 && epoch%every == 0
	if l.validator == nil || !due {
		return nil, false, nil
	}
	if l.average != nil {
		l.average.Swap()
		defer l.average.Swap()
	}
	v, err := l.validator.Validate(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("validate after epoch %d: %w", epoch, err)
	}
	if best = l.at.Best == nil || v.Score > l.at.Best.Score; !best {
		l.at.Stale++
		return &v, false, nil
	}
	l.at.Best, l.at.BestEpoch, l.at.Stale = &v, epoch, 0
	for i, t := range l.best {
		copy(t.Values, l.live[i].Values)
	}
	return &v, true, nil
}

// finish puts the weights to keep in place and sums up.
func (l *loop) finish() Result {
	r := Result{
		Steps: l.at.Step, Epochs: l.epoch(), Stopped: l.at.Stopped, Loss: l.at.Loss, Noisy: l.at.Noisy, Processors: l.at.Processors,
		Seconds: l.at.Seconds,
	}
	switch {
	case l.keepsBest() && l.at.Best != nil:
		copyTensors(l.live, l.best)
		r.Best, r.BestEpoch = l.at.Best, l.at.BestEpoch
	case l.average != nil:
		copyTensors(l.live, l.average.State())
	}
	return r
}

func copyTensors(to, from []optim.Tensor) {
	for i, t := range to {
		copy(t.Values, from[i].Values)
	}
}
