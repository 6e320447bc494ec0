package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ucan/internal/progress"
	"ucan/models"
	"ucan/runtime"
	"ucan/train"
	"ucan/train/fit"
)

func newTrainCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train base classifiers under noise, denoisers, and generators of noise parameters",
		Long: `Train makes what ucan certifies: base classifiers that withstand noise, denoisers in front of classifiers that do not,
and generators of noise parameters.
Training runs on onnxruntime, by gradient graphs made of ordinary ONNX operators.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTrainBaseCommand(a), newTrainDenoiserCommand(a), newTrainNPGCommand(a))
	return cmd
}

// openTraining opens the runtime and the data of a training, and says how it is watched.
func (a *app) openTraining(ctx context.Context, t *trainOptions) (*runtime.Runtime, error) {
	run := &t.run
	if err := run.CheckFolder(); err != nil {
		return nil, err
	}
	run.Session, run.Processor = trainSession(&t.session), a.processor
	run.Observer.Warn = func(text string) { a.warn("%s", text) }
	run.Observer.Note = func(text string) { a.note("%s", text) }
	run.Observer.Reading = func(inputs int) (read, done func()) {
		bar := progress.New(a.progressWriter(), progress.DefaultOptions(a.progressWriter(), int64(inputs), "inputs read"))
		return func() { bar.Add(1) }, bar.Close
	}
	rt, err := runtime.Open(ctx, t.session.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	run.Data.Selection = t.data.selection
	if run.Data.Source, err = a.openSource(ctx, t.data.spec, t.data.options); err == nil && t.validation != "" {
		run.Data.Validation, err = a.openSource(ctx, t.validation, t.data.options)
	}
	return rt, err
}

// matchClasses numbers the classes of the training data as the model does, which is nil for a new
// one.
func (a *app) matchClasses(d *fit.Data, m *models.Model) error {
	var names []string
	if m != nil {
		names = m.Labels()
	}
	notes, err := d.MatchClasses(names)
	for _, note := range notes {
		a.note("%s", note)
	}
	return usage(err)
}

// trainSession are the options of sessions that train: all threads in one.
func trainSession(so *sessionOptions) runtime.SessionOptions {
	s := so.options()
	s.IntraOp = so.threads
	if s.IntraOp == 0 {
		s.IntraOp = runtime.CPUCount()
	}
	return s
}

// trainingProgress shows a bar of images and a line an epoch. total counts steps of batch images.
func (a *app) trainingProgress(batch int) (report func(train.Progress), done func()) {
	var bar *progress.Bar
	report = func(p train.Progress) {
		if bar == nil {
			options := progress.DefaultOptions(a.progressWriter(), p.Steps*int64(batch), "images")
			options.Done = (p.Step - 1) * int64(batch)
			bar = progress.New(a.progressWriter(), options)
		}
		if !p.EpochDone {
			bar.Add(int64(batch))
			return
		}
		line := fmt.Sprintf("epoch %d/%d: loss %.4f, accuracy under noise %.4f, learning rate %.3g", p.Epoch, p.Epochs, p.Loss, p.Noisy, p.Rate)
		if v := p.Validation; v != nil {
			line += fmt.Sprintf("; held out: %.4f clean, %.4f noisy, average radius %.4f", v.Clean, v.Noisy, v.Score)
			if p.Best {
				line += " (best)"
			}
		}
		bar.Message("%s", line)
	}
	return report, func() {
		if bar != nil {
			bar.Close()
		}
	}
}
