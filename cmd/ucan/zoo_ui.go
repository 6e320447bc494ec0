package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ucan/internal/zoo/ui"
)

// uiOptions are those of zoo ui.
type uiOptions struct {
	storeOptions
	listen string
}

func (u *uiOptions) declare(o *options) {
	u.storeOptions.declare(o)
	o.text(&u.listen, "zoo.listen", "listen", "127.0.0.1:8811", "address of the user interface; a port alone is reached from this machine only").address()
}

func newZooUICommand(a *app) *cobra.Command {
	o := &uiOptions{}
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show the queue in a browser",
		Long: `UI serves River's user interface for the queue of a store: jobs by state, their errors and attempts, and workers. It asks
for no password, and can therefore be reached from this machine only unless --listen says otherwise.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore(cmd.Context(), o.storeOptions, false)
			if err != nil {
				return err
			}
			return ui.Serve(cmd.Context(), s, o.listen, a.log, func(url string) { fmt.Fprintln(a.stdout, url) })
		},
	}
	a.bind(cmd, o)
	return cmd
}
