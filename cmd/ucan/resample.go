package main

import (
	"context"
	"fmt"
	"io"

	"ucan/internal/audit"
	"ucan/internal/progress"
	"ucan/internal/replay"
	"ucan/internal/results"
)

// resample compares the certificates that were true so far with the model and the data, and draws fresh noise for every
// certified input.
func (a *app) resample(ctx context.Context, path string, n int64, all []audit.Numbered, v *verification) error {
	r := a.values()
	model, declared, data := requireModel(r), a.declaration(r), a.dataOptions(r)
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	seed := seedOrRandom(r)
	if err = r.err(); err != nil {
		return err
	}
	setup, err := a.openSetup(ctx, model, declared, session, data, nil)
	if err != nil {
		return err
	}
	s := replay.Resampler{
		Inputs: setup.Source, Name: setup.Info.Name, Smoother: setup.Smoother,
		Fields: results.Beside(path), Samples: n, Seed: seed,
	}
	if s.Model, err = setup.ModelRecord(); err != nil {
		return err
	}
	seal, indices := replay.Stored(all, setup.Source.Len(), s.Fields)
	if err = a.checkRows(ctx, setup, indices, seed, seal); err != nil {
		return err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(len(all), 0))
	defer bar.Close()
	result, err := s.Run(ctx, all, &v.Report, func() { bar.Add(1) })
	if err != nil {
		return fmt.Errorf("resample %q: %w", path, err)
	}
	v.resampled = &result
	return nil
}

func printResampling(w io.Writer, s replay.Resampling) {
	fmt.Fprintf(w, "resampled %d certificates with %d fresh samples each; in %d of them class counts differ from the stored ones beyond chance\n", s.Checked, s.Samples, s.Disagreed)
	if s.Unrepeated > 0 {
		fmt.Fprintf(w, "%d certificates in lattice arithmetic did not repeat their votes: made on another kind of processor or library, or with another seed than run.seed\n", s.Unrepeated)
	}
	for name, n := range s.Sources {
		fmt.Fprintf(w, "%d certificates name the data %q, and these are %q; hashes, shapes and labels agree\n", n, name, s.Source)
	}
}
