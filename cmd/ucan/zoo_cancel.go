package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newZooCancelCommand(a *app) *cobra.Command {
	o := &zooRunOptions{}
	cmd := &cobra.Command{
		Use:   "cancel",
		Short: "Cancel a zoo run; what was finished is kept",
		Long: `Cancel takes the waiting shards of a run out of the queue and asks workers to drop those in hand. "ucan zoo retry", or the
run's own command, sets them going again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, run, err := a.findRun(cmd.Context(), o)
			if err != nil {
				return err
			}
			waiting, running, err := q.Cancel(cmd.Context(), run.Number)
			if err != nil {
				return err
			}
			return a.report("cancelled", map[string]any{"run": run.ID(), "waiting": waiting, "running": running},
				"run %.12s: %d waiting shards cancelled, %d running ones asked to stop", run.ID(), waiting, running)
		},
	}
	a.bind(cmd, o)
	return cmd
}

// report prints what a short command did.
func (a *app) report(what string, document map[string]any, format string, args ...any) error {
	if a.json() {
		return writeJSON(a.stdout, map[string]any{what: document})
	}
	fmt.Fprintf(a.stdout, format+"\n", args...)
	return nil
}
