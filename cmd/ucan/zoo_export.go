package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"ucan/internal/progress"
	"ucan/internal/zoo/export"
	"ucan/internal/zoo/store"
)

// exportOptions are those of zoo export.
type exportOptions struct {
	zooRunOptions
	out     string
	parquet bool
}

func (e *exportOptions) declare(o *options) {
	e.zooRunOptions.declare(o)
	declareZooOut(o, &e.out)
	o.on(&e.parquet, "zoo.parquet", "parquet", "write certificates.parquet as well")
}

func (e *exportOptions) check(f *faults) {
	if e.out == "" {
		f.add(&e.out, "no folder is given; name one, such as results")
	}
}

func newZooExportCommand(a *app) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the certificates of a zoo run as files",
		Long: `Export writes certificates.tsv (the columns of certify's table, preceded by model, dataset and noise), certificates.jsonl,
refused.tsv and run.json into the folder --out, sorted by model, dataset, noise and index: the same bytes for the same
results, but for the time each took. With --parquet it writes certificates.parquet as well, at full precision. What was
certified so far is written even while the run goes on. "ucan verify" checks certificates.jsonl.`,
		Example: `  ucan zoo export --out results
  ucan zoo export --store postgres://ucan@db.example/ucan --run 3f2a --out results --parquet`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runZooExport(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runZooExport(ctx context.Context, a *app, o *exportOptions) error {
	s, err := a.openStore(ctx, o.storeOptions, false)
	if err != nil {
		return err
	}
	written, err := a.exportRun(ctx, s, o.run, o.out, o.parquet)
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, written)
	}
	for _, name := range written.Files {
		fmt.Fprintln(a.stdout, filepath.Join(o.out, name))
	}
	return nil
}

// exportRun writes a run's files into a folder, and says when certificates are still missing.
func (a *app) exportRun(ctx context.Context, s *store.Store, id, out string, parquet bool) (export.Summary, error) {
	run, err := s.Run(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return export.Summary{}, usage(err)
	}
	if err != nil {
		return export.Summary{}, err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(int(run.Inputs()), 0))
	written, err := export.Write(ctx, s, run.ID, out, export.Options{Parquet: parquet, Progress: func() { bar.Add(1) }})
	bar.Close()
	if err == nil && !written.Complete() {
		a.note("%d of %d certificates: the run has not ended; export it again when it has", written.Rows, written.Want)
	}
	return written, err
}
