package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ucan/internal/redact"
)

// showsFaults marks a command that runs with a faulty configuration, to show what is wrong with it.
const showsFaults = "ucan_shows_faults"

func newConfigCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration and where each value came from",
		Long: `Print every setting: its value, where that came from (flag, variable, file or default), and the key, flag and
variable that change it. Flags win over UCAN_* variables, those over the configuration file, that over defaults. What is
wrong with the configuration is listed below, with its file and line, and then the command exits with 2.`,
		Annotations: map[string]string{showsFaults: "true"},
		Args:        noArgs,
		RunE:        func(*cobra.Command, []string) error { return runConfig(a) },
	}
}

type configRow struct {
	Key      string `json:"key"`
	Value    any    `json:"value"`
	Origin   string `json:"origin"`
	Flag     string `json:"flag"`
	Variable string `json:"variable"`
	Usage    string `json:"usage"`
}

func runConfig(a *app) error {
	rows, faults := []configRow{}, []string{}
	for _, s := range a.declared() {
		value, from := a.viper.Get(s.key), a.asked.origin(s)
		rows = append(rows, configRow{
			Key: s.key, Value: withoutSecrets(*s, value), Origin: from, Flag: "--" + s.flag, Variable: s.variable(), Usage: s.usage,
		})
		if from != originDefault {
			a.asked.tryAll(s, value)
		}
	}
	for _, fault := range a.asked.list {
		faults = append(faults, redact.Text(fault.Error()))
	}
	if err := printConfig(a, rows, faults); err != nil {
		return err
	}
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return usagef("read the configuration: %s", faults[0])
	default:
		return usagef("read the configuration: %d faults, of which the first is: %s", len(faults), faults[0])
	}
}

// tryAll notes a fault where no command takes the value of the setting.
func (f *faults) tryAll(s *setting, value any) {
	var err error
	for _, cmd := range f.app.order {
		for _, other := range f.app.bindings[cmd].options.list {
			if other.key != s.key {
				continue
			}
			if err = other.set(value); err == nil {
				return
			}
		}
	}
	f.addTo(s, err)
}

func printConfig(a *app, rows []configRow, faults []string) error {
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"file": a.config.path, "settings": rows, "faults": faults})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tFROM\tFLAG\tVARIABLE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Key, text(r.Value), r.Origin, r.Flag, r.Variable)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, fault := range faults {
		fmt.Fprintln(a.stdout, "fault: "+fault)
	}
	return nil
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
