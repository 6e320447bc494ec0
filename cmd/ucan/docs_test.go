package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated documentation")

// consentKeys lists the settings that a file nobody named may not have.
func consentKeys() string {
	var keys []string
	for _, s := range settings() {
		if needsConsent(s) {
			keys = append(keys, "`"+s.key+"`")
		}
	}
	return strings.Join(keys, ", ")
}

// configurationPage is docs/configuration.md as the settings give it.
func configurationPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every setting has a key in the configuration file (` + "`--config FILE`, `./ucan.yaml`, or `ucan/ucan.yaml`" + ` in the user's configuration folder),
a flag and a variable. A flag wins over the variable, that over the file, that over the default. Unknown keys are errors
that name their line. ` + "`ucan config`" + ` prints the values in force, where each came from, and what is wrong in a file.

A ` + "`./ucan.yaml`" + ` that nobody named may have come with the folder, so the command says when it is in force, and it may not set
` + consentKeys() + `, write outside the folder, or give providers options that name files or services. Give these by flag or
variable, in a file named by ` + "`--config`" + `, or in your configuration folder, whose file is read for them even where ` + "`./ucan.yaml`" + ` is in force.

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
	t.Parallel()
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
