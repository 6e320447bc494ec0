package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// contract is docs/contract.md: the rows of its tables, each by the heading above.
func contract(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][][]string{}
	heading := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			heading = name
		}
		if strings.HasPrefix(line, "| `") || strings.HasPrefix(line, "| 0") || regexp.MustCompile(`^\| \d`).MatchString(line) {
			tables[heading] = append(tables[heading], strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return tables
}

var quoted = regexp.MustCompile("`([^`]+)`")

// names lists what stands as code in a cell.
func names(cell string) (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestContractNamesEveryCommand: the page's table of commands is that of the program.
func TestContractNamesEveryCommand(t *testing.T) {
	var listed, existing []string
	for _, row := range contract(t)["Commands"] {
		listed = append(listed, names(row[0])...)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" {
			return
		}
		if cmd.Runnable() && cmd.HasParent() && !cmd.HasAvailableSubCommands() {
			existing = append(existing, cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newApp(io.Discard, io.Discard)))
	if !slices.Contains(existing, "ucan completion") {
		existing = append(existing, "ucan completion") // cobra adds it when it runs
	}
	slices.Sort(listed)
	slices.Sort(existing)
	if !slices.Equal(listed, existing) {
		t.Errorf("docs/contract.md lists\n%s\nthe program has\n%s", strings.Join(listed, "\n"), strings.Join(existing, "\n"))
	}
}

// TestContractOfCertify holds the columns of the table and the codes of exit to the page.
func TestContractOfCertify(t *testing.T) {
	tables := contract(t)
	var columns []string
	for _, row := range tables["The table (`--out F.tsv`)"] {
		columns = append(columns, names(row[0])...)
	}
	out := filepath.Join(t.TempDir(), "a.tsv")
	want(t, exitDone, "certify", "--model", demoModel, "--data", "digits?n=50", "--sigma", "0.25", "--n", "100", "--max", "1", "--seed", "1", "--out", out, "--quiet")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(text), "\n")
	if got := strings.Split(header, "\t"); !slices.Equal(got, columns) {
		t.Errorf("the table has the columns %v, docs/contract.md has %v", got, columns)
	}
	var codes []string
	for _, row := range tables["Exit codes"] {
		codes = append(codes, row[0])
	}
	if want := []string{"0", "1", "2", "3", "4", "130"}; !slices.Equal(codes, want) {
		t.Errorf("docs/contract.md has the exit codes %v, want %v", codes, want)
	}
}

const demoModel = "../../models/demo/digits_cnn.onnx"

// TestContractOfJSON: documents on stdout have the members that the page lists.
func TestContractOfJSON(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	zoo := "models: [{file: " + absolute(t, demoModel) + "}]\ndatasets: [{source: \"digits?n=40\", max: 1}]\nnoise: [{family: gaussian, norm: l2, sigma: [0.25]}]\nstatistics: {n0: 20, n: 50, alpha: 0.001}\nseed: 1\n"
	if err := os.WriteFile(at("zoo.yaml"), []byte(zoo), 0o600); err != nil {
		t.Fatal(err)
	}
	data := []string{"--model", demoModel, "--data", "digits?n=50", "--max", "2", "--seed", "1"}
	args := map[string][]string{
		"ucan certify":            append([]string{"--sigma", "0.25", "--n", "100", "--json", at("a.jsonl")}, data...),
		"ucan predict":            append([]string{"--sigma", "0.25", "--n", "100"}, data...),
		"ucan verify":             {at("a.jsonl")},
		"ucan merge":              {at("merged"), at("a.jsonl")},
		"ucan compare":            {"first=" + at("a.jsonl"), "again=" + at("a.jsonl")},
		"ucan inspect":            {demoModel},
		"ucan radius":             {"--noise", "gaussian", "--norm", "l2", "--sigma", "0.25", "--dim", "3", "--p-lower", "0.9"},
		"ucan bench":              {"--model", demoModel, "--n", "200", "--batch", "8", "--workers", "1"},
		"ucan export":             {"--model", demoModel, "--out", at("p.onnx")},
		"ucan harden":             {"--model", demoModel, "--data", "digits?n=60", "--sigma", "0.25", "--budget", "1s", "--seed", "1", "--threads", "1", "--out", at("hard")},
		"ucan grad":               {demoModel, "--out", at("g.onnx")},
		"ucan npg check":          {"pattern:l2,kappa=0.3,iota=0.2", "--model", demoModel, "--data", "digits?n=50", "--max", "10"},
		"ucan audit drift":        append([]string{"--npg", "pattern:l2,kappa=0.3,iota=0.2", "--certificates", at("c.jsonl"), "--n", "50", "--screen", "10", "--steps", "2"}, data...),
		"ucan audit leak":         append([]string{"--npg", "pattern:l2,kappa=0.3,iota=0.2"}, data...),
		"ucan audit manipulation": append([]string{"--npg", "pattern:l2,kappa=0.3,iota=0.2", "--budget", "0.5", "--n", "50"}, data...),
		"ucan audit attack":       append([]string{"--certificates", at("a.jsonl"), "--n", "50", "--screen", "10", "--steps", "2"}, data...),
		"ucan train denoiser":     {"--data", "digits?n=20", "--sigma", "0.25", "--out", at("denoiser")},
		"ucan zoo plan":           {at("zoo.yaml")},
		"ucan zoo status":         {"--store", "sqlite:" + at("zoo.db")},
		"ucan zoo report":         {"--store", "sqlite:" + at("zoo.db")},
		"ucan runtime doctor":     {},
		"ucan runtime compare":    {"--model", demoModel, "--provider", "cpu", "--against", "cpu"},
		"ucan version":            {},
		"ucan config":             {},
	}
	want(t, exitDone, "zoo", "submit", at("zoo.yaml"), "--store", "sqlite:"+at("zoo.db"), "--quiet")
	want(t, exitDone, append([]string{"certify", "--npg", "pattern:l2,kappa=0.3,iota=0.2", "--n", "100", "--json", at("c.jsonl"), "--quiet"}, data...)...)
	rows := contract(t)["JSON on stdout (`--format json`)"]
	if len(rows) != len(args) {
		t.Errorf("the page lists %d commands, this test runs %d", len(rows), len(args))
	}
	for _, row := range rows { // in the page's order: verify reads what certify wrote
		command := names(row[0])[0]
		t.Run(command, func(t *testing.T) {
			rest, known := args[command]
			if !known {
				t.Fatal("no arguments for it here")
			}
			line := slices.Concat(strings.Fields(command)[1:], rest, []string{"--format", "json", "--quiet"})
			got := ucan(t, line...)
			if got.code != exitDone && got.code != exitCheck {
				t.Fatal(got.stderr)
			}
			var document map[string]json.RawMessage
			if err := json.Unmarshal([]byte(got.stdout), &document); err != nil {
				t.Fatalf("%v: %.300s", err, got.stdout)
			}
			cell, _, _ := strings.Cut(row[1], "; with ")
			cell = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(cell, "")
			for _, member := range names(cell) {
				if _, ok := document[member]; !ok && member != "notes" {
					t.Errorf("no member %s in %.300s", member, got.stdout)
				}
			}
		})
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
