package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
)

// inspectOptions are those of inspect, whose argument is the model.
type inspectOptions struct {
	model     modelOptions
	session   sessionOptions
	gradients bool
	compare   bool
	shape     shapeOption
}

func (i *inspectOptions) declare(o *options) {
	i.model.declare(o)
	o.drop(&i.model.file)
	i.shape.declare(o, "inspect.shape")
	o.on(&i.gradients, "inspect.gradients", "gradients", "say whether the model can be differentiated, what is in the way, and how large the gradient graph is")
	o.on(&i.compare, "inspect.check", "check", "with --gradients, compare the gradient with central differences on random directions")
	i.session.declare(o)
	o.drop(&i.session.workers, &i.session.batch)
}

func (i *inspectOptions) check(f *faults) {
	i.model.checkDeclared(f)
	i.session.check(f)
	i.shape.check(f)
	if i.compare && !i.gradients {
		f.add(&i.compare, "there is nothing to check; add --gradients")
	}
}

func newInspectCommand(a *app) *cobra.Command {
	o := &inspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect FILE.onnx",
		Short: "Show what a model is, what was guessed about it, and what will be done with it",
		Long: `Inspect reads an ONNX file and prints its inputs, outputs, batch, preprocessing and decision, says which of these were
guessed and what certification will do (make the batch symbolic, transpose, round, append the decision), and names the
flag that changes each. It then runs the prepared model on a few made-up rows: again, at other places and among other
rows of a batch, and it looks at the scores themselves. It says what it tried; every run tries again with its own rows at
its own batch. A model that cannot be smoothed soundly is refused with the reason (exit 3).`,
		Example: `  ucan inspect model.onnx
  ucan inspect model.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --format json`,
		Args: oneArgument("one ONNX file"),
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

func runInspect(ctx context.Context, a *app, o *inspectOptions, path string) error {
	path = declare.ModelPath(path)
	report, err := tryModel(ctx, o.session.runtime, path, models.Options{Declared: o.model.declared, SourceShape: o.shape.dims, Session: o.session.options()})
	var refusal *models.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return modelError(fmt.Errorf("inspect %w", err))
	}
	full := inspectReport{Report: report}
	var gradErr error
	if o.gradients {
		if full.Gradients, gradErr = gradientsOf(ctx, o.session.runtime, path, o.rowShape(report), o.compare); full.Gradients == nil && gradErr != nil {
			return fmt.Errorf("inspect: %s: gradients: %w", path, gradErr)
		}
	}
	if a.json() {
		if writeErr := writeJSON(a.stdout, full); writeErr != nil {
			return writeErr
		}
	} else if writeErr := report.WriteText(a.stdout); writeErr != nil {
		return writeErr
	} else if full.Gradients != nil {
		full.Gradients.writeText(a)
	}
	if err != nil {
		return fmt.Errorf("inspect %w", err)
	}
	if gradErr != nil {
		return fmt.Errorf("inspect: %s: %w", path, gradErr)
	}
	return nil
}

// inspectReport is the model's report with what --gradients adds.
type inspectReport struct {
	models.Report
	Gradients *gradientReport `json:"gradients,omitempty"`
}

// rowShape is the shape that --shape asks for in the model's own layout, nil for none.
func (i *inspectOptions) rowShape(r models.Report) []int {
	if i.shape.dims == nil || r.Prep.Shape == nil {
		return i.shape.dims
	}
	return r.Prep.Shape
}

// gradientsOf opens the runtime for inspectGradients.
func gradientsOf(ctx context.Context, config runtime.Config, path string, shape []int, check bool) (rep *gradientReport, err error) {
	rt, err := runtime.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	return inspectGradients(ctx, rt, path, shape, check)
}

// tryModel runs the prepared model on a few rows; the report then says what that showed.
func tryModel(ctx context.Context, config runtime.Config, path string, options models.Options) (report models.Report, err error) {
	var rt *runtime.Runtime
	defer func() {
		if rt != nil {
			err = errors.Join(err, rt.Close())
		}
	}()
	return models.InspectRun(ctx, path, options, func() (*runtime.Runtime, error) {
		var err error
		rt, err = runtime.Open(ctx, config)
		return rt, err
	})
}

// modelError marks faults of flags and model.yaml as faults of usage.
func modelError(err error) error {
	if errors.Is(err, declare.Err) || errors.Is(err, runtime.ErrUnknownProvider) || errors.Is(err, runtime.ErrOptions) {
		return usage(err)
	}
	return err
}
