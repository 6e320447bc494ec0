package main

import (
	"context"
	"fmt"
	"io"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/internal/replay"
	"ucan/internal/results"
	"ucan/internal/table"
	"ucan/models/declare"
	"ucan/smooth"
)

// runPin answers the chosen inputs that have a certificate in the file, with the noise that it
// stores.
func runPin(ctx context.Context, a *app, o *predictOptions) error {
	path := o.pin
	pins, err := replay.ReadPins(ctx, path, results.Beside(path), buildName())
	if err != nil {
		return fmt.Errorf("predict --pin %q: %w", path, err)
	}
	seed := o.seed.fix()
	setup, err := a.openSetup(ctx, &o.model, &o.session, &o.data, nil)
	if err != nil {
		return err
	}
	p := replay.Pinned{Pins: pins, Inputs: setup.Inputs(), Request: smooth.PredictN{N: o.statistics.N, Alpha: o.statistics.Alpha}}
	if o.pinData != "" {
		if p.Certified, err = a.openCertified(ctx, o); err != nil {
			return err
		}
	}
	if p.Smoother, err = setup.Smoother(seed); err != nil {
		return err
	}
	if p.Model, err = setup.ModelRecord(); err != nil {
		return err
	}
	indices := pins.Indices(setup.Indices)
	if len(indices) == 0 {
		return usagef("predict --pin %q: none of the %d chosen inputs has a certificate there; choose others with --skip and --max", path, len(setup.Indices))
	}
	a.note("%d of %d chosen inputs have a certificate; seed %d", len(indices), len(setup.Indices), seed)
	if err = a.checkRows(ctx, setup, indices, seed, pins.Seal); err != nil {
		return err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(len(indices), 0))
	defer bar.Close()
	out, err := p.Run(ctx, indices, func() { bar.Add(1) })
	if err != nil {
		return fmt.Errorf("predict --pin %q: %w", path, err)
	}
	return a.presentAnswers(out, path)
}

// openCertified opens the data that were certified, as the model wants them.
func (a *app) openCertified(ctx context.Context, o *predictOptions) (*dataset.Source, error) {
	effective, _, err := declare.Resolve(o.model.file, o.model.declared)
	if err != nil {
		return nil, modelError(fmt.Errorf("open model %w", err))
	}
	return a.openSource(ctx, o.pinData, certify.PrepareFor(effective, o.data.options))
}

func (a *app) presentAnswers(o replay.Answers, path string) error {
	if a.json() {
		if err := writeJSON(a.stdout, o); err != nil {
			return err
		}
	} else if err := printAnswers(a.stdout, o); err != nil {
		return err
	}
	if o.Violated > 0 {
		return checkf("predict --pin %q: %d inputs inside their certified regions are answered with another class than certified", path, o.Violated)
	}
	return nil
}

func printAnswers(w io.Writer, o replay.Answers) error {
	t := table.New(">idx", ">label", ">certified", ">predict", "agrees", "inside", ">share of the way to the boundary")
	guarantees := map[smooth.Guarantee]bool{}
	for _, r := range o.Results {
		share := "–"
		if r.Share != nil {
			share = fmt.Sprintf("%.4f", *r.Share)
		}
		agrees := "no"
		if r.Agrees {
			agrees = "yes"
		}
		t.Row(r.Index, r.Label, r.Certified, r.Predict, agrees, r.Inside, share)
		guarantees[r.Guarantee] = true
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d inputs: %d answered as certified, %d abstained, %d inside their regions, %d violations\n", o.Inputs, o.Agree, o.Abstained, o.Inside, o.Violated)
	for _, g := range []smooth.Guarantee{smooth.Deployed, smooth.Pinned} {
		if guarantees[g] {
			fmt.Fprintf(w, "guarantee  %s\n", guaranteeText(string(g)))
		}
	}
	return nil
}
