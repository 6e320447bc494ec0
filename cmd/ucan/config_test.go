package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

func TestSettingsAreConsistent(t *testing.T) {
	t.Parallel()
	keys, variables := map[string]bool{}, map[string]bool{}
	for _, s := range settings() {
		if keys[s.key] || variables[s.variable()] {
			t.Errorf("key %s or variable %s stands twice", s.key, s.variable())
		}
		keys[s.key], variables[s.variable()] = true, true
		if s.usage == "" || s.flag == "" || s.key != strings.ToLower(s.key) {
			t.Errorf("setting %+v is incomplete", s)
		}
	}
}

func configFolder(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.WriteFile(filepath.Join(dir, "ucan.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func effective(t *testing.T, key string, args ...string) (value any, from string) {
	t.Helper()
	var out struct {
		Settings []configRow
	}
	if err := json.Unmarshal([]byte(want(t, exitDone, append([]string{"config", "--format", "json"}, args...)...).stdout), &out); err != nil {
		t.Fatal(err)
	}
	for _, row := range out.Settings {
		if row.Key == key {
			return row.Value, row.Origin
		}
	}
	t.Fatalf("no setting %s", key)
	return nil, ""
}

func TestPrecedence(t *testing.T) {
	configFolder(t, "runtime:\n  threads: 2\n")
	if v, from := effective(t, "runtime.threads"); text(v) != "2" || !strings.HasPrefix(from, "file") {
		t.Errorf("file: %v from %s", v, from)
	}
	t.Setenv("UCAN_RUNTIME_THREADS", "3")
	if v, from := effective(t, "runtime.threads"); text(v) != "3" || from != "variable UCAN_RUNTIME_THREADS" {
		t.Errorf("variable: %v from %s", v, from)
	}
	if v, from := effective(t, "runtime.threads", "--threads", "4"); text(v) != "4" || from != "flag --threads" {
		t.Errorf("flag: %v from %s", v, from)
	}
	if v, from := effective(t, "statistics.n"); text(v) != "100000" || from != "default" {
		t.Errorf("default: %v from %s", v, from)
	}
}

func TestUnknownKeysNameTheirLine(t *testing.T) {
	for text, part := range subtest.Rows(map[string]string{
		"runtime:\n  thraeds: 2\n": `ucan.yaml, line 2: unknown key "runtime.thraeds"; did you mean "runtime.threads"?`,
		"runtme: {threads: 2}\n":   `line 1: unknown key "runtme"; did you mean "runtime"?`,
		"seed: 1\nsigma: 0.5\n":    `line 2: unknown key "sigma"; did you mean "noise.sigma"?`,
		"nonsense: 1\n":            "line 1",
		"runtime: [1]\n":           "runtime",
		"- a\n- b\n":               "mapping",
		"runtime: {threads: 1\n":   "YAML",
	}) {
		t.Run(text, func(t *testing.T) {
			configFolder(t, text)
			if got := want(t, exitUsage, "version"); !strings.Contains(got.stderr, part) {
				t.Errorf("%q: %s", text, got.stderr)
			}
		})
	}
}

// TestConfigShowsFaults: with a faulty file, the command shows every fault with its line, and the
// values in force.
func TestConfigShowsFaults(t *testing.T) {
	configFolder(t, "noise:\n  sigma: much\n  sgima: 1\nseed: 7\nstatistics: {n: 0, bound: three}\nformat: json\n")
	got := want(t, exitUsage, "config")
	var out struct {
		Settings []configRow
		Faults   []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
		t.Fatal(err)
	}
	faults := []string{
		`ucan.yaml, line 3: unknown key "noise.sgima"; did you mean "noise.sigma"?`,
		`ucan.yaml, line 2: --sigma (noise.sigma): "much" is not a number`,
		`ucan.yaml, line 5: --bound (statistics.bound): unknown value "three": use one or two`,
	}
	if !slices.Equal(out.Faults, faults) { // predict takes n = 0
		t.Errorf("faults\n%s\nwant\n%s", strings.Join(out.Faults, "\n"), strings.Join(faults, "\n"))
	}
	if !strings.Contains(got.stderr, faults[0]) {
		t.Errorf("the error is %q", got.stderr)
	}
	for _, row := range out.Settings {
		if row.Key == "seed" && (text(row.Value) != "7" || row.Origin != "file ucan.yaml") {
			t.Errorf("the seed is %v from %s", row.Value, row.Origin)
		}
	}
	got = want(t, exitUsage, "config", "--format", "table")
	for _, fault := range faults {
		if !strings.Contains(got.stdout, "\nfault: "+fault+"\n") {
			t.Errorf("no %q in\n%s", fault, got.stdout)
		}
	}
	if other := want(t, exitUsage, "version"); !strings.Contains(other.stderr, faults[0]) {
		t.Errorf("another command says %q", other.stderr)
	}
}

func TestProvidersMayCarryOptions(t *testing.T) {
	t.Parallel()
	for name, value := range subtest.Rows(map[string]any{
		"names":   []any{"cuda", "cpu"},
		"options": []any{map[string]any{"cuda": map[string]any{"device_id": 1}}, "cpu"},
		"comma":   "cuda,cpu",
	}) {
		t.Run(name, func(t *testing.T) {
			providers, err := providersOf(value)
			if err != nil || len(providers) != 2 || providers[0].Name != "cuda" || providers[1].Name != "cpu" {
				t.Errorf("%s: %+v, %v", name, providers, err)
			}
		})
	}
	if _, err := providersOf([]any{3}); err == nil {
		t.Error("a number was taken as a provider")
	}
}

func TestUnknownVariablesAreNoticed(t *testing.T) {
	t.Parallel()
	got := unknownVariables([]string{"UCAN_RUNTIME_THREADS=1", "UCAN_RUNTIME_THREAD=1", "PATH=/", "UCAN_SHARED=x"})
	if len(got) != 1 || got[0] != `UCAN_RUNTIME_THREAD; did you mean "UCAN_RUNTIME_THREADS"?` {
		t.Errorf("unknown variables %v", got)
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add([]byte("runtime:\n  providers: [cuda, {cpu: {a: 1}}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("statistics: {n: 1e9, alpha: .nan}\nseed: 12345678901234567890\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := newApp(nil, nil)
		bindEnvironment(a.viper)
		doc, err := parseConfig("fuzz.yaml", data) // must not panic
		if err != nil {
			return
		}
		_ = untrusted(doc)
		doc.merge(a.viper, &configFile{places: map[string]place{}}, everything)
	})
}
