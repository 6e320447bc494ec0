package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated documentation")

// configurationPage is docs/configuration.md as the settings give it.
func configurationPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every setting has a key in the configuration file (` + "`--config FILE`, `./ucan.yaml`, or `ucan/ucan.yaml`" + ` in the user's configuration folder),
a flag and a variable. A flag wins over the variable, that over the file, that over the default. Unknown keys are errors
that name their line. ` + "`ucan config`" + ` prints the values in force and where each came from.

This page is generated from the settings: ` + "`go test ./cmd/ucan -run TestConfigurationPage -update`." + `

| key | flag | variable | default | meaning |
| --- | --- | --- | --- | --- |
`)
	for _, s := range settings() {
		value := ""
		if list, ok := s.value.([]string); ok {
			value = strings.Join(list, ",")
		} else if s.value != nil {
			value = fmt.Sprint(s.value)
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s | %s |\n", s.key, s.flag, s.variable(), value, strings.ReplaceAll(s.usage, "|", `\|`))
	}
	b.WriteString(`
Providers may carry options in the file:

` + "```yaml" + `
runtime:
  providers:
    - cuda: {device_id: 0, gpu_mem_limit: 8000000000}
    - cpu
  fallback: true
noise: {family: gaussian, sigma: 0.25}
statistics: {n: 10000, alpha: 0.001}
` + "```" + `
`)
	return b.String()
}

func TestConfigurationPage(t *testing.T) {
	const path = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(configurationPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != configurationPage() {
		t.Error("docs/configuration.md is out of date; run: go test ./cmd/ucan -run TestConfigurationPage -update")
	}
}
