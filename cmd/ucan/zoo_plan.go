package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/report"
	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/plan"
	"ucan/internal/zoo/resolve"
	"ucan/internal/zoo/store"
	"ucan/runtime"
)

// zooPlanOptions are those of zoo plan.
type zooPlanOptions struct {
	storeOptions
	workers  int
	strict   bool
	simulate string
	plot     string

	scenario *plan.Scenario // of simulate, nil for none
}

func (z *zooPlanOptions) declare(o *options) {
	z.storeOptions.declare(o)
	declareZooWorkers(o, &z.workers, plan.MaxWorkers)
	declareStrict(o, &z.strict)
	o.text(&z.simulate, "zoo.simulate", "simulate", "", "simulate the run on failing workers: workers=1/100/10000,mtbf=24h,detect=2s,restart=10s,rate=385")
	o.in(outputSection)
	o.text(&z.plot, "zoo.plot", "plot", "", "draw the simulation into this .png or .svg file").output()
}

func (z *zooPlanOptions) check(f *faults) {
	if z.simulate != "" {
		scenario, err := plan.ParseScenario(z.simulate)
		if err != nil {
			f.add(&z.simulate, "%w", err)
		}
		z.scenario = &scenario
	}
	ext := strings.TrimPrefix(filepath.Ext(z.plot), ".")
	if z.plot != "" && (z.scenario == nil || !slices.Contains(report.PlotFormats(), ext)) {
		f.add(&z.plot, "cannot plot to %q: add --simulate, and use a name ending in .%s", z.plot, strings.Join(report.PlotFormats(), " or ."))
	}
}

func newZooPlanCommand(a *app) *cobra.Command {
	o := &zooPlanOptions{}
	cmd := &cobra.Command{
		Use:   "plan ZOO.yaml",
		Short: "Price a zoo before anything runs",
		Long: `Plan reads zoo.yaml as a whole, names every fault with its line, looks at every model with every data source, and prices
what will run: forward passes, time on this machine and on --workers, disk, and what a store holds already. Under an
adaptive profile a pilot of a few inputs predicts the samples; no certificate uses what it draws. Models that cannot be
smoothed, and pairs that do not fit, are listed with the reason.

With --simulate, the run is simulated on many workers that fail, with the times just measured.`,
		Example: `  ucan zoo plan zoo.yaml --workers 64
  ucan zoo plan zoo.yaml --simulate workers=1/100/10000,mtbf=24h,rate=385 --plot scale.png`,
		Args: oneArgument("one zoo.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error { return runZooPlan(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

// loadZoo reads a zoo.yaml and resolves it into a run; the runtime stays open until the command
// ends.
func (a *app) loadZoo(ctx context.Context, file string) (*matrix.Run, *runtime.Runtime, error) {
	zoo, err := matrix.Load(file)
	if err != nil {
		return nil, nil, zooError(err)
	}
	config := a.runtimeConfig()
	rt, err := runtime.Open(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	a.onClose(rt.Close)
	run, err := resolve.Resolve(ctx, rt, zoo, resolve.Options{CacheDir: cacheFolder(), Note: a.note})
	return run, rt, zooError(err)
}

// zooError marks faults of a zoo.yaml, and a file that is not there, as faults of usage.
func zooError(err error) error {
	if errors.Is(err, matrix.ErrFaulty) || errors.Is(err, fs.ErrNotExist) {
		return usagef("read the zoo: %w", err)
	}
	return err
}

// strictly refuses a run that refuses anything, where the options ask for that.
func strictly(strict bool, run *matrix.Run) error {
	if n := len(run.Refusals); n > 0 && strict {
		first := run.Refusals[0]
		return refusef("certify the zoo: %d combinations were refused, the first one %s: %s; leave them out, or leave --strict out", n, first.Model, first.Reason)
	}
	return nil
}

// zooPlan is what the command prints as JSON.
type zooPlan struct {
	*plan.Plan
	Scenario   *plan.Scenario `json:"scenario,omitempty"`
	Simulation []plan.Outcome `json:"simulation,omitempty"`
}

func runZooPlan(ctx context.Context, a *app, o *zooPlanOptions, file string) error {
	config := plan.DefaultConfig()
	config.Workers, config.CacheDir, config.Note = o.workers, cacheFolder(), a.note
	run, rt, err := a.loadZoo(ctx, file)
	if err != nil {
		return err
	}
	if config.Done, err = a.doneOf(ctx, o.storeOptions, run.ID); err != nil {
		return err
	}
	artifacts, err := artifact.NewResolver(nil, nil)
	if err != nil {
		return err
	}
	opener := &cell.Opener{Runtime: rt, Artifacts: artifacts, CacheDir: cacheFolder(), Version: buildName(), Processor: a.processor}
	priced, err := plan.Make(ctx, opener, run, config)
	if err != nil {
		return err
	}
	out := zooPlan{Plan: priced, Scenario: o.scenario}
	if o.scenario != nil {
		if out.Simulation, err = simulateAll(priced, o); err != nil {
			return err
		}
	}
	if o.plot != "" {
		if err = plan.SavePlot(o.plot, *o.scenario, out.Simulation); err != nil {
			return err
		}
	}
	return errors.Join(out.present(a), strictly(o.strict, run))
}

func (p zooPlan) present(a *app) error {
	if a.json() {
		return writeJSON(a.stdout, p)
	}
	if err := p.WriteText(a.stdout); err != nil || p.Scenario == nil {
		return err
	}
	return plan.WriteOutcomes(a.stdout, *p.Scenario, p.Simulation)
}

// simulateAll runs the priced shards on every fleet of the scenario. Unless it says otherwise, a
// worker's setup is what was measured.
func simulateAll(p *plan.Plan, o *zooPlanOptions) ([]plan.Outcome, error) {
	s := o.scenario
	if !strings.Contains(o.simulate, "setup=") {
		s.Setup = p.Setup
	}
	if p.Unmeasured > 0 {
		return nil, fmt.Errorf("simulate the run: %d combinations were not timed on this machine; plan it where their provider is", p.Unmeasured)
	}
	var outcomes []plan.Outcome
	for _, k := range s.Workers {
		outcome, err := s.Simulate(k, p.ShardSeconds(s.Seed))
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

// doneOf tells what the store that the options name holds of a run; nil where there is no store or
// it lacks the run.
func (a *app) doneOf(ctx context.Context, o storeOptions, run string) (plan.Done, error) {
	s, err := a.openStore(ctx, o, false)
	if err != nil {
		if o.store == "" {
			return nil, nil // a plan needs no store
		}
		return nil, err
	}
	found, err := s.Find(ctx, run)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cells, err := s.Cells(ctx, found.Number)
	if err != nil {
		return nil, err
	}
	done := doneInputs{}
	for _, c := range cells {
		done[[3]string{c.Model, c.Dataset, c.Noise}] = int(c.Rows)
	}
	return done, nil
}

// doneInputs are the certified inputs of each cell.
type doneInputs map[[3]string]int

// DoneInputs implements plan.Done.
func (d doneInputs) DoneInputs(_ context.Context, _ string, c *matrix.Cell) (int, error) {
	return d[[3]string{c.Model, c.Dataset, c.Noise}], nil
}
