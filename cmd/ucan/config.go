package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration and where each value came from",
		Long: `Print every setting: its value, where that came from (flag, variable, file or default), and the key, flag and
variable that change it. Flags win over UCAN_* variables, those over the configuration file, that over defaults.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfig(a, cmd) },
	}
	return cmd
}

type configRow struct {
	Key      string `json:"key"`
	Value    any    `json:"value"`
	Origin   string `json:"origin"`
	Flag     string `json:"flag"`
	Variable string `json:"variable"`
	Usage    string `json:"usage"`
}

func runConfig(a *app, cmd *cobra.Command) error {
	var rows []configRow
	for _, s := range settings() {
		rows = append(rows, configRow{
			Key: s.key, Value: a.viper.Get(s.key), Origin: origin(a.viper, cmd.Flags(), a.config, s),
			Flag: "--" + s.flag, Variable: s.variable(), Usage: s.usage,
		})
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"file": a.config.path, "settings": rows})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tFROM\tFLAG\tVARIABLE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Key, text(r.Value), r.Origin, r.Flag, r.Variable)
	}
	return w.Flush()
}

// writeJSON writes v as one indented JSON document.
func writeJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
