package main

import "github.com/spf13/cobra"

func newRuntimeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtime",
		Short: "Install, examine and compare onnxruntime and its providers",
		Long: `The other commands find onnxruntime's library by themselves: the one named by --library, UCAN_RUNTIME_LIBRARY or the
configuration file; else one that was installed before; else a pip- or distribution-installed one; else the loader's;
else they install the pinned official build into the user's cache folder. These commands do it by hand, and look closer.`,
		Args: noSuchCommand,
		RunE: needsCommand,
	}
	cmd.AddCommand(newRuntimeInstallCommand(a), newRuntimeDoctorCommand(a), newRuntimeCompareCommand(a))
	return cmd
}
