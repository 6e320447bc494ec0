package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/report"
	"ucan/internal/table"
	"ucan/models/demo"
	"ucan/smooth/family"
)

// demoOptions are those of demo.
type demoOptions struct {
	seed    seedOptions
	session sessionOptions
	out     string
}

func (d *demoOptions) declare(o *options) {
	o.in(outputSection)
	o.text(&d.out, "demo.out", "out", "", "folder for the demonstration's files (default: a fresh temporary one)").as("o").output()
	d.seed.declare(o)
	d.session.declare(o)
	o.drop(&d.session.seconds)
}

func (d *demoOptions) check(f *faults) {
	d.session.check(f)
	d.seed.check(f)
	if !d.seed.given {
		d.seed.value, d.seed.given = 1, true
	}
}

func newDemoCommand(a *app) *cobra.Command {
	o := &demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Certify an embedded model on handwritten digits, in under a minute",
		Long: `Demo certifies the embedded convolutional network on 30 digits that it has never seen, once with isotropic Gaussian
noise and once with pattern noise (little in the centre, more at the border), shows both results, and leaves the model,
the certificates and a plot in a fresh folder, whose path it prints.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// demoSize is chosen so that both arms together end in well under a minute on two cores.
const (
	demoInputs  = 30
	demoSamples = 2000
)

// demoArm is one of the two noises that are compared.
type demoArm struct {
	name, title string
	noise       certify.Noise
}

func demoArms() []demoArm {
	gaussian := family.Gaussian{}
	return []demoArm{
		{"isotropic", "isotropic, σ = 0.25", certify.Noise{Family: gaussian, Norm: family.L2, Sigma: 0.25}},
		{"pattern", "pattern, σ = 0.2 + 0.3‖(a,b)‖²", certify.Noise{Family: gaussian, Norm: family.L2, Sigma: 1, NPG: "pattern:l2,kappa=0.3,iota=0.2"}},
	}
}

func runDemo(ctx context.Context, a *app, o *demoOptions) error {
	dir, err := demoFolder(o.out)
	if err != nil {
		return err
	}
	model, err := writeDemoModel(dir, demo.Model())
	if err != nil {
		return err
	}
	var series []report.Series
	summaries := map[string]report.Summary{}
	overview := table.New("noise", ">correct", ">certified", ">mean ℓ2 radius", ">mean ALM", ">mean capped ALM", ">abstained")
	for _, arm := range demoArms() {
		selection := dataset.DefaultSelection()
		selection.Max = demoInputs
		run, prepareErr := a.prepareCertification(ctx, &runOptions{
			model: modelOptions{file: model}, session: o.session, noise: noiseOptions{Noise: arm.noise}, seed: o.seed,
			data:       dataOptions{spec: demo.DataSpec, selection: selection, maxFailures: 0.1},
			statistics: statisticsOptions{Statistics: certify.Statistics{N0: 100, N: demoSamples, Alpha: 0.001}},
			output:     outputOptions{tsv: filepath.Join(dir, arm.name+".tsv"), jsonl: filepath.Join(dir, arm.name+".jsonl"), measures: []string{string(report.ALM)}},
		})
		if prepareErr != nil {
			return prepareErr
		}
		summary, runErr := run.execute(ctx)
		if runErr != nil && !errors.Is(runErr, certify.ErrSomeFailed) {
			return runErr
		}
		series = append(series, report.Series{Name: arm.title, Rows: run.writer.Rows()})
		summaries[arm.name] = summary
		overview.Row(arm.title, fmt.Sprintf("%d of %d", summary.Correct, summary.Inputs), summary.Certified,
			fmt.Sprintf("%.4f", summary.ACR), fmt.Sprintf("%.4f", summary.Mean(report.ALM)), fmt.Sprintf("%.4f", summary.Mean(report.ALMCapped)), summary.Abstained)
	}
	picture := filepath.Join(dir, "curve.png")
	options := report.DefaultPlotOptions()
	options.Measures = []report.Measure{report.ALM}
	options.Title = fmt.Sprintf("Embedded digits CNN, %d digits, n = %d", demoInputs, demoSamples)
	if err = report.SavePlot(picture, series, options); err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"folder": dir, "summaries": summaries})
	}
	if _, err = overview.WriteTo(a.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, `
The ℓ2 radius is the largest ball inside the certified region; ALM measures the region's whole volume, which
anisotropic noise can enlarge where the ball cannot grow. Capped ALM counts no axis beyond the range of the data.

Model, certificates and plot: %s
  %s
Check the certificates:  ucan verify %s
`, dir, picture, filepath.Join(dir, "isotropic.jsonl"))
	return err
}

// demoFolder makes the folder for the demonstration's files; an empty path asks for a fresh
// temporary one.
func demoFolder(path string) (string, error) {
	if path == "" {
		dir, err := os.MkdirTemp("", "ucan-demo-")
		if err != nil {
			return "", fmt.Errorf("make a folder for the demonstration: %w; name one with --out", err)
		}
		return dir, nil
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return "", usagef("make the folder %q: it exists and is not empty; name another with --out", path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", fmt.Errorf("make the folder %q: %w; name another with --out", path, err)
	}
	return path, nil
}

// writeDemoModel writes the embedded network into dir, so that it can be used like any other file.
func writeDemoModel(dir string, network []byte) (string, error) {
	path := filepath.Join(dir, demo.Name)
	if err := os.WriteFile(path, network, 0o644); err != nil {
		return "", fmt.Errorf("write the demonstration model: %w", err)
	}
	return path, nil
}
