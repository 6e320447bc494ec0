package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/atomicfile"
	"ucan/internal/zoo/report"
	"ucan/internal/zoo/store"
)

// zooReportOptions are those of zoo report.
type zooReportOptions struct {
	zooRunOptions
	html     string
	radii    []float64
	measures []string
}

func (z *zooReportOptions) declare(o *options) {
	z.zooRunOptions.declare(o)
	o.in(outputSection)
	o.text(&z.html, "zoo.html", "html", "", "write the report with its curves to this .html file").output()
	declareRadii(o, &z.radii)
	declareMeasures(o, &z.measures)
}

func (z *zooReportOptions) check(f *faults) {
	slices.Sort(z.radii)
	checkMeasures(f, &z.measures)
	if len(z.radii) > 0 && z.radii[0] < 0 {
		f.add(&z.radii, "%v is out of range: give radii of 0 and more", z.radii[0])
	}
	z.radii = slices.Compact(z.radii)
}

func newZooReportCommand(a *app) *cobra.Command {
	o := &zooReportOptions{}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Compare the models of a zoo run",
		Long: `Report ranks models and noise settings by their average certified radius (ACR) and by the volume of their regions (ALM), with
certified accuracy at radii, and gives what each model cost; every figure has its exact interval. What cannot be compared is ranked apart: other data, another
norm, another guarantee. With --html it writes a page with the curves as well, which needs no other file.`,
		Example: `  ucan zoo report --radii 0,0.25,0.5,1
  ucan zoo report --run 3f2a --html report.html`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runZooReport(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runZooReport(ctx context.Context, a *app, o *zooReportOptions) error {
	how := report.DefaultOptions()
	how.Radii, how.Measures = o.radii, measuresOf(o.measures)
	s, err := a.openStore(ctx, o.storeOptions, false)
	if err != nil {
		return err
	}
	made, err := report.Make(ctx, s, o.run, how)
	if errors.Is(err, store.ErrNotFound) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if o.html != "" {
		if err := atomicfile.Write(o.html, func(w io.Writer) error { return made.WriteHTML(w) }); err != nil {
			return err
		}
		a.note("page: %s", o.html)
	}
	if a.json() {
		return writeJSON(a.stdout, made)
	}
	return made.WriteText(a.stdout)
}
