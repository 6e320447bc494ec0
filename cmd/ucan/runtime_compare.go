package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/models"
	"ucan/models/declare"
	"ucan/models/demo"
	"ucan/runtime"
)

// runtimeCompareOptions are those of runtime compare. Its --inputs, --against and --against-threads
// have their own keys.
type runtimeCompareOptions struct {
	modelOptions
	sessionOptions
	seedOptions
	dataOptions
	family  familyOptions
	sigma   float64
	rows    int
	against any // as --provider
	threads int // of the second setting

	second []runtime.Provider // of against
}

func (c *runtimeCompareOptions) declare(o *options) {
	c.modelOptions.declare(o)
	c.dataOptions.declare(o)
	d := &c.dataOptions
	o.drop(&d.selection.Skip, &d.selection.Stride, &d.most, &d.shard, &d.except, &d.labelMap, &d.maxFailures, &d.force)
	n := &c.family
	n.declare(o)
	o.drop(&n.name, &n.norm, &n.lambda, &n.pairs)
	o.in(runtimeSection)
	o.tree(&c.against, "compare.against", "against", []string{"cpu"}, "providers of the second setting").offers(runtime.ProviderNames)
	o.count(&c.threads, "compare.threads", "against-threads", 1, 1, maxThreads, "threads of the second setting's session")
	o.count(&c.rows, "compare.rows", "inputs", 256, 1, 1<<20, "inputs to compare")
	c.sessionOptions.declare(o)
	s := &c.sessionOptions
	o.drop(&s.workers, &s.batch)
	c.seedOptions.declare(o)
}

func (c *runtimeCompareOptions) check(f *faults) {
	c.checkDeclared(f)
	c.sessionOptions.check(f)
	c.seedOptions.check(f)
	var err error
	if c.second, err = providersOf(c.against); err != nil {
		f.add(&c.against, "%w", err)
	}
	c.sigma = 0.25
	if c.family.sigma != nil {
		if c.sigma = *c.family.sigma; !(c.sigma >= 0) {
			f.add(&c.family.sigma, "%v is out of range: give a standard deviation of 0 or more", c.sigma)
		}
	}
}

func newRuntimeCompareCommand(a *app) *cobra.Command {
	o := &runtimeCompareOptions{}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Run the same noisy inputs under two settings and compare the scores",
		Long: `Compare prepares a model as certification would, draws one noisy batch, and runs it under two settings: --provider with
--threads, and --against with --against-threads. It prints the largest difference of a score and the number of inputs
whose decision changed. Without --model it takes the embedded demonstration network, without --data inputs of 0.5 with
the noise added.`,
		Example: `  ucan runtime compare --model model.onnx --provider cuda
  ucan runtime compare --model model.onnx --data mnist:DIR --threads 2 --against-threads 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeCompare(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// comparison is what the command prints.
type comparison struct {
	Model    string  `json:"model"`
	Sigma    float64 `json:"sigma"`
	Seed     uint64  `json:"seed"`
	ThreadsA int     `json:"threads_a"`
	ThreadsB int     `json:"threads_b"`
	runtime.Comparison
}

func runRuntimeCompare(ctx context.Context, a *app, o *runtimeCompareOptions) error {
	c := comparison{Sigma: o.sigma, Seed: o.seedOptions.fix(), ThreadsA: o.sessionOptions.threads, ThreadsB: o.threads}
	if c.ThreadsA == 0 {
		c.ThreadsA = runtime.CPUCount()
	}
	rt, err := runtime.Open(ctx, o.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	model, graph, err := a.preparedGraph(ctx, rt, o.file, o.declared)
	if err != nil {
		return err
	}
	c.Model = model.Name()
	input, err := a.compareInput(ctx, o, model)
	if err != nil {
		return err
	}
	if model.Decision().Kind == declare.Label {
		return refusef("compare %s: its output is a label, and scores are what is compared; name another output by --output", model.Name())
	}
	c.Comparison, err = rt.Compare(ctx, graph, runtime.CompareOptions{
		A:    runtime.SessionOptions{Providers: o.providers, Strict: !o.fallback, IntraOp: c.ThreadsA, Outputs: []string{models.GraphScores}},
		B:    runtime.SessionOptions{Providers: o.second, IntraOp: c.ThreadsB, Outputs: []string{models.GraphScores}},
		Rows: o.rows, Input: input, Sigma: c.Sigma, Seed: c.Seed,
	})
	if err != nil {
		return modelError(fmt.Errorf("compare %s: %w", model.Name(), err))
	}
	for _, f := range slices.Concat(c.FallbacksA, c.FallbacksB) {
		a.warn("provider %s: %s", f.Provider, f.Reason)
	}
	return c.present(a)
}

// preparedGraph opens a model, "" for the embedded one, and returns its graph with preprocessing
// and decision.
func (a *app) preparedGraph(ctx context.Context, rt *runtime.Runtime, path string, declared models.Declaration) (*models.Model, []byte, error) {
	options := models.Options{Declared: declared, Session: runtime.SessionOptions{IntraOp: 1}, CacheDir: cacheFolder()}
	var (
		model *models.Model
		err   error
	)
	if path == "" {
		path = "the embedded model"
		model, err = models.OpenBytes(ctx, rt, "demo", demo.Model(), options)
	} else {
		model, err = models.Open(ctx, rt, path, options)
	}
	if err != nil {
		return nil, nil, modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(model.Close)
	graph, err := model.Graph().Marshal()
	if err != nil {
		return nil, nil, fmt.Errorf("compare %s: %w", path, err)
	}
	return model, graph, nil
}

// compareInput reads up to n inputs from the data source; without one, a single grey input stands
// for all.
func (a *app) compareInput(ctx context.Context, o *runtimeCompareOptions, model *models.Model) ([]float32, error) {
	if o.spec == "" {
		grey := make([]float32, model.Dim())
		for i := range grey {
			grey[i] = 0.5
		}
		return grey, nil
	}
	source, err := a.openSource(ctx, o.spec, o.dataOptions.options)
	if err != nil {
		return nil, usage(err)
	}
	var x []float32
	for i := range min(o.rows, source.Len()) {
		item, err := source.At(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("compare: read input %d of %s: %w", i, o.spec, err)
		}
		if len(item.X) != model.Dim() {
			return nil, refusef("compare: input %d of %s has %d values, the model takes %d; declare --resize and --crop, or name another source", i, o.spec, len(item.X), model.Dim())
		}
		x = append(x, item.X...)
	}
	return x, nil
}

func (c comparison) present(a *app) error {
	if a.json() {
		return writeJSON(a.stdout, c)
	}
	same := ""
	if c.Identical {
		same = " (all bits are equal)"
	}
	_, err := fmt.Fprintf(a.stdout, `model               %s
first               %s, %s
second              %s, %s
inputs              %d, noise σ = %g, seed %d
largest difference  %.3g of scores up to %.3g%s
changed decisions   %d of %d
`, c.Model, c.ProviderA, threads(c.ThreadsA), c.ProviderB, threads(c.ThreadsB), c.Rows, c.Sigma, c.Seed,
		c.LargestDifference, c.Scale, same, c.Changed, c.Rows)
	return err
}

func threads(n int) string {
	return strings.TrimSuffix(fmt.Sprintf("%d threads", n), map[bool]string{true: "s", false: ""}[n == 1])
}
