package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ucan/internal/results"
)

func newMergeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "merge OUT FILE...",
		Short: "Join the tables and certificates of the shards of one run",
		Long: `Merge joins what "ucan certify --shard i/k" wrote, or "ucan predict": tables into OUT.tsv and certificates into OUT.jsonl,
in order of the index and byte for byte. Noise fields beside certificates are copied, and the record of the run is written.

All shards must be finished and of one run: the same model, data, noise, statistics and seed. They may differ in --batch
and --workers. An input that is in two files is an error.`,
		Example: `  ucan certify --model m.onnx --data mnist:DIR --sigma 0.25 --seed 1 --shard 0/2 --out a.tsv --json a.jsonl
  ucan certify --model m.onnx --data mnist:DIR --sigma 0.25 --seed 1 --shard 1/2 --out b.tsv --json b.jsonl
  ucan merge all a.tsv b.tsv a.jsonl b.jsonl`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("merge: %d files given; name the output and the files of the shards", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runMerge(a, args[0], args[1:]) },
	}
}

func runMerge(a *app, out string, parts []string) error {
	merged, err := results.MergeShards(out, parts)
	if errors.Is(err, results.ErrExists) || errors.Is(err, results.ErrMismatch) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if !merged.Even {
		a.warn("the indices of the merged inputs are not evenly spaced: a shard, or a part of one, may be missing")
	}
	if a.json() {
		return writeJSON(a.stdout, merged)
	}
	for _, path := range merged.Outputs {
		fmt.Fprintf(a.stdout, "%s: %d inputs, %d to %d\n", path, merged.Inputs, merged.First, merged.Last)
	}
	return nil
}
