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

func newZooPlanCommand(a *app) *cobra.Command {
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
		Args: oneZoo,
		RunE: func(cmd *cobra.Command, args []string) error { return runZooPlan(cmd.Context(), a, args[0]) },
	}
	addSettings(cmd.Flags(), "zoo.store", "zoo.workers", "zoo.strict", "zoo.simulate", "zoo.plot")
	return cmd
}

// loadZoo reads a zoo.yaml and resolves it into a run; the runtime stays open until the command ends.
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

// strictly refuses a run that refuses anything, where the settings ask for that.
func strictly(r *values, run *matrix.Run) error {
	if n := len(run.Refusals); n > 0 && r.flag("zoo.strict") {
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

func runZooPlan(ctx context.Context, a *app, file string) error {
	r := a.values()
	scenario, err := scenarioOf(r)
	if err != nil {
		return err
	}
	config := plan.DefaultConfig()
	config.Workers, config.CacheDir, config.Note = int(r.int("zoo.workers", 0, plan.MaxWorkers)), cacheFolder(), a.note
	picture := r.text("zoo.plot")
	if ext := strings.TrimPrefix(filepath.Ext(picture), "."); picture != "" && (scenario == nil || !slices.Contains(report.PlotFormats(), ext)) {
		r.fault("zoo.plot", "it draws a simulation; add --simulate, and let the name end in .%s", strings.Join(report.PlotFormats(), " or ."))
	}
	if err = r.err(); err != nil {
		return err
	}
	run, rt, err := a.loadZoo(ctx, file)
	if err != nil {
		return err
	}
	if config.Done, err = a.doneOf(ctx, r, run.ID); err != nil {
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
	out := zooPlan{Plan: priced, Scenario: scenario}
	if scenario != nil {
		if out.Simulation, err = simulateAll(priced, scenario, r); err != nil {
			return err
		}
	}
	if picture != "" {
		if err = plan.SavePlot(picture, *scenario, out.Simulation); err != nil {
			return err
		}
	}
	return errors.Join(out.present(a), strictly(r, run))
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

// scenarioOf reads the fleet to simulate, nil for none.
func scenarioOf(r *values) (*plan.Scenario, error) {
	text := r.text("zoo.simulate")
	if text == "" {
		return nil, nil
	}
	scenario, err := plan.ParseScenario(text)
	if err != nil {
		r.fault("zoo.simulate", "%s", err)
		return nil, r.err()
	}
	return &scenario, nil
}

// simulateAll runs the priced shards on every fleet of the scenario. Unless it says otherwise, a worker's setup is what
// was measured.
func simulateAll(p *plan.Plan, s *plan.Scenario, r *values) ([]plan.Outcome, error) {
	if !strings.Contains(r.text("zoo.simulate"), "setup=") {
		s.Setup = p.Setup
	}
	if p.Unmeasured > 0 {
		return nil, fmt.Errorf("simulate the run: %d combinations were not timed on this machine; plan it where their provider is", p.Unmeasured)
	}
	var outcomes []plan.Outcome
	for _, k := range s.Workers {
		o, err := s.Simulate(k, p.ShardSeconds(s.Seed))
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

// doneOf tells what the store that the settings name holds of a run; nil where there is no store or it lacks the run.
func (a *app) doneOf(ctx context.Context, r *values, run string) (plan.Done, error) {
	s, err := a.openStore(ctx, r, false)
	if err != nil {
		if !r.given("zoo.store") {
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
