package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/arch"
	"ucan/npg"
	"ucan/runtime"
	"ucan/smooth/family"
)

// completed asks as the shell does, and returns the values offered without their descriptions, and
// the directive.
func completed(t *testing.T, line string) (values []string, directive string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(context.Background(), append([]string{"__complete"}, strings.Split(line, " ")...), &out, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		value, _, _ := strings.Cut(text, "\t")
		values = append(values, value)
	}
	return values[:len(values)-1], values[len(values)-1]
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	const noFiles, noSpace = ":4", ":2"
	var presets []string
	for _, name := range npg.PresetNames() {
		presets = append(presets, "pattern:"+name)
	}
	for name, c := range subtest.Rows(map[string]struct {
		line      string
		want      []string
		directive string
	}{
		"noise":                {"certify --noise ", family.Names(), noFiles},
		"noise, begun":         {"certify --noise exp", []string{"expinf", "exp2", "exp1", "expp"}, noFiles},
		"noise of radius":      {"radius --noise lap", []string{"laplace"}, noFiles},
		"norm":                 {"certify --norm ", []string{"l1", "l2", "linf"}, noFiles},
		"target norm":          {"train npg --target-norm ", []string{"l1", "l2", "linf"}, noFiles},
		"provider":             {"inspect --provider ", runtime.ProviderNames(), noFiles},
		"the second provider":  {"certify --provider cuda,cp", []string{"cuda,cpu"}, noFiles},
		"against":              {"runtime compare --against cud", []string{"cuda"}, noFiles},
		"arch":                 {"train base --arch ", arch.Names(), noFiles},
		"kind":                 {"train npg --kind ", []string{"pattern", "dataset", "certification", "per-input"}, noFiles},
		"adaptive":             {"certify --adaptive ", []string{"off", "strict", "default", "fast", "two-stage"}, noFiles},
		"decision":             {"inspect --decision ", []string{"argmax", "argmin", "threshold", "label"}, noFiles},
		"decision of a run":    {"predict --decision arg", []string{"argmax", "argmin"}, noFiles},
		"presets":              {"certify --npg pattern:", presets, noSpace},
		"a preset of bench":    {"bench --npg pattern:dct3", []string{"pattern:dct32"}, noSpace},
		"a generator's file":   {"certify --npg bundles/", nil, noSpace}, // the shell then completes files
		"data":                 {"certify --data mnis", []string{"mnist:"}, noSpace},
		"a flag":               {"certify --max-f", []string{"--max-failures"}, noFiles},
		"a command":            {"zoo ca", []string{"cancel"}, noFiles},
		"a topic of help":      {"help ex", []string{"export", "exit-codes"}, noFiles},
		"help below a command": {"help zoo ca", []string{"cancel"}, noFiles},
		"bound":                {"certify --bound ", []string{"one", "two"}, noFiles},
		"format, of every one": {"version --format ", []string{"table", "json"}, noFiles},
	}) {
		t.Run(name, func(t *testing.T) {
			got, directive := completed(t, c.line)
			if !slices.Equal(got, c.want) || directive != c.directive {
				t.Errorf("%q is completed to %q with %s, want %q with %s", c.line, got, directive, c.want, c.directive)
			}
		})
	}
}
