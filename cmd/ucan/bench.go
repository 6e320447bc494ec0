package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/overhead"
	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/smooth"
)

// benchOptions are those of bench.
type benchOptions struct {
	model      modelOptions
	session    sessionOptions
	noise      noiseOptions
	statistics statisticsOptions
	rounds     int
}

func (b *benchOptions) declare(o *options) {
	b.model.declare(o)
	b.session.declare(o)
	b.noise.declare(o)
	o.drop(&b.noise.arithmetic, &b.noise.SigmaField, &b.noise.MuField)
	b.statistics.declareSamples(o, 10000, 1, 1)
	o.count(&b.rounds, "bench.rounds", "rounds", 9, 1, 10000, "rounds to measure")
}

func (b *benchOptions) check(f *faults) {
	b.model.checkDeclared(f)
	b.session.check(f)
	if b.noise.sigma == nil && b.noise.lambda == nil {
		usual := 0.25
		b.noise.sigma = &usual
	}
	b.noise.check(f)
	checkAlpha(f, &b.statistics.Alpha)
}

func newBenchCommand(a *app) *cobra.Command {
	o := &benchOptions{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what certification costs beyond the bare model",
		Long: `Bench runs the bare sessions and fixed-n certification in turn, for the same number of samples in one process, and prints
the ratio of their times (the median over neighbouring rounds) beside the time to make one noise value.`,
		Example: `  ucan bench --model model.onnx --n 10000`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// benchReport is what the command prints.
type benchReport struct {
	Model   string         `json:"model"`
	Setting models.Setting `json:"setting"`
	Threads int            `json:"cpus"`
	overhead.Result
}

func runBench(ctx context.Context, a *app, o *benchOptions) (err error) {
	if o.model.file == "" {
		if o.model.file, err = a.demoModel(); err != nil {
			return err
		}
	}
	setup, err := a.openSetup(ctx, &o.model, &o.session, &dataOptions{}, nil)
	if err != nil {
		return err
	}
	source, err := setup.NoiseSource(ctx, o.noise.Noise)
	if err != nil {
		return err
	}
	a.onClose(source.Close)
	a.warnOfDenoiser(ctx, setup, source)
	input := make([]float32, setup.Model.Dim())
	random := rand.New(rand.NewPCG(1, 2))
	for i := range input {
		input[i] = random.Float32()
	}
	sealed, err := source.Seal(ctx, input)
	if err != nil {
		return usage(err)
	}
	result, err := overhead.Overhead(ctx, overhead.Config{
		Classifiers: setup.Workers(), Dim: setup.Model.Dim(), Classes: setup.Model.Classes(),
		Noise: sealed, Rounds: o.rounds, Input: input,
		Statistics: smooth.FixedN{N0: o.statistics.N0, N: o.statistics.N, Alpha: o.statistics.Alpha},
	})
	if err != nil {
		return err
	}
	return benchReport{Model: setup.Model.Name(), Setting: setup.Setting, Threads: runtime.CPUCount(), Result: result}.present(a)
}

// demoModel writes the embedded demonstration network to a file that lasts until the command ends.
func (a *app) demoModel() (string, error) {
	dir, err := demoFolder("")
	if err != nil {
		return "", err
	}
	a.onClose(func() error { return os.RemoveAll(dir) })
	return writeDemoModel(dir, demo.Model())
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
