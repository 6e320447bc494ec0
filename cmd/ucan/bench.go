package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/spf13/cobra"

	overhead "ucan/internal/overhead"
	"ucan/internal/workbench"
	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/smooth"
)

func newBenchCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what certification costs beyond the bare model",
		Long: `Bench runs the bare sessions and fixed-n certification in turn, for the same number of samples in one process, and prints
the ratio of their times (the median over neighbouring rounds) beside the time to make one noise value.

` + exitCodesHelp,
		Example: `  ucan bench --model model.onnx --n 10000`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, sessionKeys, []string{
		"noise.family", "noise.norm", "noise.sigma", "noise.lambda", "noise.param", "noise.npg", "noise.floor", "noise.ceiling", "noise.fixed_mean", "statistics.n0", "statistics.n", "statistics.alpha", "bench.rounds",
	})...)
	return cmd
}

// benchReport is what the command prints.
type benchReport struct {
	Model   string         `json:"model"`
	Setting models.Setting `json:"setting"`
	Threads int            `json:"cpus"`
	overhead.Result
}

func runBench(ctx context.Context, a *app) error {
	r := a.values()
	if !r.given("noise.sigma") && !r.given("noise.lambda") {
		a.viper.Set("noise.sigma", 0.25)
	}
	if !r.changed("statistics.n") {
		a.viper.Set("statistics.n", 10000)
	}
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	declared, noise := a.declaration(r), a.noiseOptions(r)
	fixed := smooth.FixedN{N0: r.int("statistics.n0", 1, 1<<40), N: r.int("statistics.n", 1, 1<<40), Alpha: r.float("statistics.alpha")}
	rounds := int(r.int("bench.rounds", 1, 10000))
	if err = r.err(); err != nil {
		return err
	}
	bench0, err := a.openBench(ctx, r.text("model.file"), declared, session)
	if err != nil {
		return err
	}
	maker, err := bench0.NoiseMaker(ctx, noise)
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	input := make([]float32, bench0.Model.Dim())
	random := rand.New(rand.NewPCG(1, 2))
	for i := range input {
		input[i] = random.Float32()
	}
	sealed, err := maker.Seal(ctx, input)
	if err != nil {
		return usage(err)
	}
	result, err := overhead.Overhead(ctx, overhead.Config{
		Classifiers: bench0.Workers, Dim: bench0.Model.Dim(), Classes: bench0.Model.Classes(),
		Noise: sealed, Statistics: fixed, Rounds: rounds, Input: input,
	})
	if err != nil {
		return err
	}
	return benchReport{Model: bench0.Model.Name(), Setting: bench0.Setting, Threads: runtime.CPUCount(), Result: result}.present(a)
}

// openBench opens a model alone, without data; "" stands for the embedded demonstration network.
func (a *app) openBench(ctx context.Context, path string, declared models.Declaration, so sessionOptions) (*bench, error) {
	if path == "" {
		dir, err := demoFolder("")
		if err != nil {
			return nil, err
		}
		a.onClose(func() error { return removeAll(dir) })
		if path, err = writeDemoModel(dir, demo.Model()); err != nil {
			return nil, err
		}
	}
	rt, err := runtime.Open(ctx, so.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	w := &bench{Bench: workbench.Bench{Runtime: rt, Session: so.options()}}
	w.Model, err = models.Open(ctx, rt, path, models.Options{Declared: declared, Session: so.options(), CacheDir: cacheFolder()})
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(w.Model.Close)
	w.Info.Shape = w.Model.InputShape()
	return w, w.openSessions(ctx, a, so, nil)
}

func (b benchReport) present(a *app) error {
	if a.json() {
		return writeJSON(a.stdout, b)
	}
	perSample := func(seconds float64) float64 { return seconds / float64(b.Samples) * 1e6 }
	_, err := fmt.Fprintf(a.stdout, `model          %s: %d × batch %d, %d thread(s) each, of %d processors
samples        %d a round, %d rounds
bare           %.1f µs a sample
certify        %.1f µs a sample
ratio          %.3f (median of neighbouring rounds; least %.3f, most %.3f)
noise          %.2f ns a value
`, b.Model, b.Setting.Workers, b.Setting.Batch, b.Setting.IntraOp, b.Threads, b.Samples, len(b.Ratios),
		perSample(b.Bare.Seconds()), perSample(b.Certified.Seconds()), b.Ratio, slices.Min(b.Ratios), slices.Max(b.Ratios), b.NoiseNanoseconds)
	return err
}
