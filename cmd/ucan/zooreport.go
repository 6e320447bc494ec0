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

func newZooReportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Compare the models of a zoo run",
		Long: `Report ranks models and noise settings by their average certified radius (ACR), with certified accuracy at radii, and gives
what each model cost; every figure has its exact interval. What cannot be compared is ranked apart: other data, another
norm, another guarantee. With --html it writes a page with the curves as well, which needs no other file.`,
		Example: `  ucan zoo report --radii 0,0.25,0.5,1
  ucan zoo report --run 3f2a --html report.html`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runZooReport(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), "zoo.store", "zoo.run", "zoo.html", "output.radii")
	return cmd
}

func runZooReport(ctx context.Context, a *app) error {
	r := a.values()
	o := report.DefaultOptions()
	o.Radii = r.floats("output.radii")
	slices.Sort(o.Radii)
	if len(o.Radii) > 0 && o.Radii[0] < 0 {
		r.fault("output.radii", "%v is negative; give radii of 0 and more", o.Radii[0])
	}
	o.Radii = slices.Compact(o.Radii)
	page := r.text("zoo.html")
	if err := r.err(); err != nil {
		return err
	}
	s, err := a.openStore(ctx, r, false)
	if err != nil {
		return err
	}
	made, err := report.Make(ctx, s, r.text("zoo.run"), o)
	if errors.Is(err, store.ErrNotFound) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if page != "" {
		if err := atomicfile.Write(page, func(w io.Writer) error { return made.WriteHTML(w) }); err != nil {
			return err
		}
		a.note("page: %s", page)
	}
	if a.json() {
		return writeJSON(a.stdout, made)
	}
	return made.WriteText(a.stdout)
}
