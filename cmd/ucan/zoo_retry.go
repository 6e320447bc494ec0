package main

import "github.com/spf13/cobra"

func newZooRetryCommand(a *app) *cobra.Command {
	o := &zooRunOptions{}
	cmd := &cobra.Command{
		Use:   "retry",
		Short: "Set the cancelled and given-up shards of a zoo run going again",
		Long: `Retry puts the shards of a run that were cancelled, or that failed in all their attempts, back into the queue with all
their attempts, for workers that listen.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, run, err := a.findRun(cmd.Context(), o)
			if err != nil {
				return err
			}
			n, err := q.Retry(cmd.Context(), run.Number)
			if err != nil {
				return err
			}
			return a.report("retried", map[string]any{"run": run.ID(), "shards": n}, "run %.12s: %d shards go again", run.ID(), n)
		},
	}
	a.bind(cmd, o)
	return cmd
}
