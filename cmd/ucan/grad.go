package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/fault"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// gradOptions are those of grad, whose argument is the model.
type gradOptions struct {
	out      string
	wrt      []string
	lossName string
	loss     autodiff.Loss
	output   string
	shape    shapeOption
}

func (g *gradOptions) declare(o *options) {
	o.in(modelSection)
	declareOutput(o, &g.output)
	o.words(&g.wrt, "grad.wrt", "wrt", []string{"input"}, "inputs or initialisers to differentiate by; input stands for every real-valued input")
	o.text(&g.lossName, "grad.loss", "loss", "cross-entropy", "what to differentiate: cross-entropy, logit:K or linear").offers(func() []string { return []string{"cross-entropy", "logit:", "linear"} })
	g.shape.declare(o, "grad.shape")
	o.in(outputSection)
	o.text(&g.out, "grad.out", "out", "", "write the gradient graph to this ONNX file").as("o").output()
}

func (g *gradOptions) check(f *faults) {
	if g.out == "" {
		f.add(&g.out, "no file to write is given")
	}
	g.shape.check(f)
	var err error
	if g.loss, err = autodiff.ParseLoss(g.lossName); err != nil {
		f.add(&g.lossName, "%s", strings.TrimPrefix(err.Error(), "autodiff: "))
	}
}

func newGradCommand(a *app) *cobra.Command {
	o := &gradOptions{}
	cmd := &cobra.Command{
		Use:   "grad FILE.onnx",
		Short: "Write a model that also returns its gradients, as plain ONNX",
		Long: `Grad reads an ONNX file and writes another that computes the same outputs, a loss, and the gradient of the loss by
the input or by weights. It holds ordinary operators only, so any ONNX runtime executes it.

Losses: cross-entropy (its mean over the batch; adds the input "labels", int64 [N]), logit:K (the sum of logit K over the
batch) and linear (the sum of the outputs times the new input "weights": any vector-Jacobian product).
--wrt lists inputs or initialisers; "input" stands for every real-valued input. Initialisers become inputs of the result,
so that their values can change. The outputs of the result are those of the model, then "loss", "logitK" or "linear",
then NAME.grad for every name. Where the model has a value of such a name, another is chosen and printed.`,
		Example: `  ucan grad model.onnx --out model-grad.onnx
  ucan grad model.onnx --out tune.onnx --wrt conv1.weight,conv1.bias
  ucan grad model.onnx --out saliency.onnx --loss logit:3
  ucan grad anysize.onnx --out fixed.onnx --shape 3,224,224`,
		Args: oneArgument("one ONNX file"),
		RunE: func(cmd *cobra.Command, args []string) error { return runGrad(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

// gradRecord is what grad prints about its result.
type gradRecord struct {
	Out       string            `json:"out"`
	Losses    []string          `json:"losses"`
	Gradients map[string]string `json:"gradients"` // by the value they are with respect to
	Promoted  []string          `json:"promoted"`
	// Renamed says what is called otherwise than documented, since the model has a value of that
	// name.
	Renamed      map[string]string `json:"renamed,omitempty"`
	Nodes        int               `json:"nodes"`
	ForwardNodes int               `json:"forward_nodes"`
}

func runGrad(ctx context.Context, a *app, o *gradOptions, path string) (err error) {
	out := o.out
	if _, statErr := os.Stat(out); statErr == nil {
		return usagef("grad: write %q: the file exists; name another", out)
	}
	m, err := onnx.Read(declare.ModelPath(path))
	if err != nil {
		return fmt.Errorf("grad: %w", err)
	}
	if m, err = fixShape(m, o.shape.dims); err != nil {
		return fmt.Errorf("grad: %s: %w", path, err)
	}
	rt, err := runtime.Open(ctx, a.runtimeConfig())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	if m, err = autodiff.Initialised(ctx, autodiff.OnRuntime(rt), m, o.wrt...); err != nil {
		return fmt.Errorf("grad: %s: %w", path, err)
	}
	options := autodiff.Options{Losses: []autodiff.Loss{o.loss}, Wrt: wanted(m, o.wrt), Output: o.output, Promote: true}
	if err = options.Validate(m); errors.Is(err, autodiff.ErrNotDifferentiable) {
		return fault.Mark(fault.Refused, fmt.Errorf("grad: %s: %w", path, err))
	} else if err != nil {
		return usagef("grad: %s: %w", path, err)
	}
	g, err := differentiate(ctx, rt, m, options)
	if err != nil {
		return fmt.Errorf("grad: %s: %w", path, err)
	}
	if err := g.Model.Write(out); err != nil {
		return fmt.Errorf("grad: %w", err)
	}
	rec := gradRecord{
		Out: out, Losses: g.Losses, Gradients: make(map[string]string), Promoted: append([]string{}, g.Promoted...), Renamed: g.Renamed,
		Nodes: g.Nodes, ForwardNodes: g.ForwardNodes,
	}
	for _, w := range g.Wrt {
		rec.Gradients[w] = g.Output(o.loss.Name(), w)
	}
	if a.json() {
		return writeJSON(a.stdout, rec)
	}
	fmt.Fprintf(a.stdout, "%s: %d nodes (%d forward)\n", out, g.Nodes, g.ForwardNodes)
	for _, v := range g.Model.Inputs() {
		fmt.Fprintf(a.stdout, "  input   %v\n", v)
	}
	for _, v := range g.Model.Outputs() {
		fmt.Fprintf(a.stdout, "  output  %v\n", v)
	}
	for _, name := range slices.Sorted(maps.Keys(g.Renamed)) {
		fmt.Fprintf(a.stdout, "  renamed %s is called %s: the model has a value of that name\n", name, g.Renamed[name])
	}
	return nil
}

// wanted turns "input" into the names of the real-valued inputs, unless the model has a value of
// that name.
func wanted(m *onnx.Model, names []string) []string {
	var out []string
	for _, name := range names {
		_, isInput := m.Input(name)
		if name != "input" || isInput || m.Initializer(name) != nil {
			out = append(out, name)
			continue
		}
		for _, in := range m.Inputs() {
			if in.Type.IsFloat() && !slices.Contains(out, in.Name) {
				out = append(out, in.Name)
			}
		}
	}
	return out
}

// differentiate makes the gradient graph after a first load of the model in a process of its own.
// Operators without a rule are a refusal.
func differentiate(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, options autodiff.Options) (*autodiff.Gradient, error) {
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	if err = rt.ProbeLoad(ctx, b, runtime.ProbeOptions{Session: runtime.SessionOptions{IntraOp: 1}}); err != nil {
		return nil, err
	}
	g, err := autodiff.Differentiate(ctx, autodiff.OnRuntime(rt), m, options)
	if errors.Is(err, autodiff.ErrNotDifferentiable) {
		return nil, fault.Mark(fault.Refused, err)
	}
	return g, err
}

// gradientReport is what "inspect --gradients" adds to the report.
type gradientReport struct {
	Differentiable bool                  `json:"differentiable"`
	Reason         string                `json:"reason,omitempty"`
	Missing        []string              `json:"missing"` // operators that lack a rule
	Inputs         []string              `json:"inputs,omitempty"`
	Nodes          int                   `json:"nodes,omitempty"`
	ForwardNodes   int                   `json:"forward_nodes,omitempty"`
	Bytes          int                   `json:"bytes,omitempty"`
	Check          *autodiff.CheckResult `json:"check,omitempty"`
}

// maxGradientError is how far a gradient may be from central differences.
const maxGradientError = 5e-3

// inspectGradients differentiates the model by its inputs and, with check, compares with central
// differences. The error says why the model is refused, or that the check failed; the report is
// complete in both cases.
func inspectGradients(ctx context.Context, rt *runtime.Runtime, path string, shape []int, check bool) (*gradientReport, error) {
	m, err := onnx.Read(declare.ModelPath(path))
	if err == nil {
		m, err = fixShape(m, shape)
	}
	if err != nil {
		return nil, err
	}
	rep := &gradientReport{Missing: []string{}}
	g, err := differentiate(ctx, rt, m, autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultLinear()}})
	if errors.Is(err, autodiff.ErrNotDifferentiable) {
		rep.Reason = err.Error()
		var missing *autodiff.MissingRulesError
		if errors.As(err, &missing) {
			rep.Missing = missing.Operators()
		}
		return rep, err
	}
	if err != nil {
		return nil, err
	}
	b, err := g.Model.Marshal()
	if err != nil {
		return nil, err
	}
	rep.Differentiable, rep.Inputs, rep.Nodes, rep.ForwardNodes, rep.Bytes = true, g.Wrt, g.Nodes, g.ForwardNodes, len(b)
	if !check {
		return rep, nil
	}
	options := autodiff.DefaultCheckOptions()
	options.Tolerance = maxGradientError
	res, err := autodiff.Check(ctx, rt, m, options)
	if errors.Is(err, autodiff.ErrNotDifferentiable) {
		return rep, fault.Mark(fault.Refused, err)
	}
	if err != nil {
		return nil, err
	}
	rep.Check = &res
	if n := res.WrongDirections; n > 0 {
		return rep, checkf("the gradient by %q is off central differences by %.2g of its size, along %d of %d directions by more than the differences can be; at most %g is allowed",
			res.Wrt, res.MaxRelativeError, n, res.Directions, maxGradientError)
	}
	return rep, nil
}

// writeText prints the report below that of the model.
func (g *gradientReport) writeText(a *app) {
	if !g.Differentiable {
		fmt.Fprintf(a.stdout, "\ngradients    none: %s\n", g.Reason)
		return
	}
	fmt.Fprintf(a.stdout, "\ngradients    by %s: %d nodes (%d forward), %d bytes\n", strings.Join(g.Inputs, ", "), g.Nodes, g.ForwardNodes, g.Bytes)
	if c := g.Check; c != nil {
		fmt.Fprintf(a.stdout, "  checked along %d directions at batch %d against %s differences: relative error median %.1e, largest %.1e\n",
			c.Directions, c.Batch, c.Reference, c.MedianRelativeError, c.MaxRelativeError)
		if c.Zero {
			fmt.Fprintf(a.stdout, "  the gradient is zero to rounding: so are the differences\n")
		}
		switch n := c.UndecidedDirections; {
		case n == c.Directions:
			fmt.Fprintf(a.stdout, "  undecided along every direction: kinks or rounding move the differences by more than the errors allowed, so nothing is proved or refuted\n")
		case n > 0:
			fmt.Fprintf(a.stdout, "  undecided along %d directions, which do not count: kinks or rounding move the differences by more than the errors allowed\n", n)
		}
		if c.Undecided > 0 {
			fmt.Fprintf(a.stdout, "  at the inputs drawn, rounding to float32 decides the side of a kink for %d activations: expect larger errors\n", c.Undecided)
		}
	}
}
