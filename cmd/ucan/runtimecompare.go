package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/dataset"
	"ucan/models"
	"ucan/models/declare"
	"ucan/models/demo"
	"ucan/runtime"
)

func newRuntimeCompareCommand(a *app) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeCompare(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, []string{
		"data.source", "data.resize", "data.crop", "noise.sigma", "seed", "compare.against", "compare.threads", "compare.rows",
	})...)
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

func runRuntimeCompare(ctx context.Context, a *app) error {
	r := a.values()
	if !r.given("noise.sigma") {
		a.viper.Set("noise.sigma", 0.25)
	}
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	against, err := providersOf(a.viper.Get("compare.against"))
	if err != nil {
		return usagef("read --against: %w", err)
	}
	declared := a.declaration(r)
	c := comparison{
		Sigma: r.float("noise.sigma"), ThreadsA: session.threads, ThreadsB: int(r.int("compare.threads", 1, 4096)),
	}
	if c.ThreadsA == 0 {
		c.ThreadsA = runtime.CPUCount()
	}
	rows := int(r.int("compare.rows", 1, 1<<20))
	var seeded bool
	if c.Seed, seeded = seedOf(r); !seeded {
		c.Seed = rand.Uint64()
	}
	if !(c.Sigma >= 0) {
		r.fault("noise.sigma", "%s is no standard deviation", r.text("noise.sigma"))
	}
	if err = r.err(); err != nil {
		return err
	}
	rt, err := runtime.Open(ctx, session.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	model, graph, err := a.preparedGraph(ctx, rt, r.text("model.file"), declared)
	if err != nil {
		return err
	}
	c.Model = model.Name()
	input, err := a.compareInput(ctx, r, model, rows)
	if err != nil {
		return err
	}
	if model.Decision().Kind == declare.Label {
		return refusef("compare %s: its output is a label, and scores are what is compared; name another output by --output", model.Name())
	}
	c.Comparison, err = rt.Compare(ctx, graph, runtime.CompareOptions{
		A:    runtime.SessionOptions{Providers: session.providers, Strict: !session.fallback, IntraOp: c.ThreadsA, Outputs: []string{models.GraphScores}},
		B:    runtime.SessionOptions{Providers: against, IntraOp: c.ThreadsB, Outputs: []string{models.GraphScores}},
		Rows: rows, Input: input, Sigma: c.Sigma, Seed: c.Seed,
	})
	if err != nil {
		return modelError(fmt.Errorf("compare %s: %w", model.Name(), err))
	}
	for _, f := range slices.Concat(c.FallbacksA, c.FallbacksB) {
		a.warn("provider %s: %s", f.Provider, f.Reason)
	}
	return c.present(a)
}

// preparedGraph opens a model, "" for the embedded one, and returns its graph with preprocessing and decision.
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

// compareInput reads up to n inputs from the data source; without one, a single grey input stands for all.
func (a *app) compareInput(ctx context.Context, r *values, model *models.Model, n int) ([]float32, error) {
	spec := r.text("data.source")
	if spec == "" {
		grey := make([]float32, model.Dim())
		for i := range grey {
			grey[i] = 0.5
		}
		return grey, nil
	}
	source, err := a.openSource(ctx, spec, dataset.Options{
		Resize: int(r.int("data.resize", 0, 1<<20)), Crop: int(r.int("data.crop", 0, 1<<20)),
	})
	if err != nil {
		return nil, usage(err)
	}
	var x []float32
	for i := range min(n, source.Len()) {
		item, err := source.At(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("compare: read input %d of %s: %w", i, spec, err)
		}
		if len(item.X) != model.Dim() {
			return nil, refusef("compare: input %d of %s has %d values, the model takes %d; declare --resize and --crop, or name another source", i, spec, len(item.X), model.Dim())
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
