package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ucan/internal/redact"
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
			Key: s.key, Value: withoutSecrets(s, a.viper.Get(s.key)), Origin: origin(a.viper, cmd.Flags(), a.config, s),
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

// secretOption matches the names of providers' options that hold keys of services.
var secretOption = regexp.MustCompile(`(?i)key|token|secret|pass|auth|credential`)

// withoutSecrets is a setting's value as it may be shown.
func withoutSecrets(s setting, value any) any {
	switch v := value.(type) {
	case string:
		if s.kind == kindAddress {
			return redact.Address(v)
		}
		return redact.Text(v)
	case []string:
		shown := make([]string, len(v))
		for i, entry := range v {
			shown[i] = redact.Text(entry)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, entry := range v {
			shown[i] = withoutSecrets(s, entry)
		}
		return shown
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name, entry := range v {
			shown[name] = withoutSecrets(s, entry)
			if secretOption.MatchString(name) {
				shown[name] = redact.Mask
			}
		}
		return shown
	}
	return value
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
