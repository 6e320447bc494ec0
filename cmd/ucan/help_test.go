package main

import (
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ucan/fixtures/subtest"
)

// everyCommand calls visit for the root and all commands below it, the topics of the help among
// them.
func everyCommand(visit func(cmd *cobra.Command)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		visit(cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newApp(io.Discard, io.Discard)))
}

// Every help fits its width, lists every flag once under a section, and points to the exit codes.
func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for _, s := range sections() {
		headings[string(s)] = true
	}
	flagLine := regexp.MustCompile(`^  (?:-\w, |    )--([\w-]+)`)
	everyCommand(func(cmd *cobra.Command) {
		if cmd.IsAdditionalHelpTopicCommand() {
			return
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			got := want(t, exitDone, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			if !strings.HasSuffix(got.stdout, "\nExit codes: ucan help exit-codes\n") || strings.Count(got.stdout, "Exit codes") != 1 {
				t.Errorf("the help ends with %q", got.stdout[max(0, len(got.stdout)-60):])
			}
			under, listed := "", map[string]string{}
			for line := range strings.Lines(got.stdout) {
				line = strings.TrimRight(line, "\n")
				if n := utf8.RuneCountInString(line); n > helpWidth {
					t.Errorf("%d characters: %s", n, line)
				}
				if !strings.HasPrefix(line, " ") {
					under = strings.TrimSuffix(line, ":")
				}
				if m := flagLine.FindStringSubmatch(line); m != nil && under != "Examples" {
					if listed[m[1]] != "" || !headings[under] {
						t.Errorf("--%s stands under %q and %q", m[1], listed[m[1]], under)
					}
					listed[m[1]] = under
				}
			}
			cmd.InheritedFlags()
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if listed[f.Name] == "" && !f.Hidden {
					t.Errorf("no --%s in the help", f.Name)
				}
			})
		})
	})
}

// TestHelpOnExitCodes: the topic lists every code that a command may end with, and nothing else.
func TestHelpOnExitCodes(t *testing.T) {
	t.Parallel()
	var listed []int
	for _, m := range regexp.MustCompile(`(?m)^  (\d+) `).FindAllStringSubmatch(want(t, exitDone, "help", "exit-codes").stdout, -1) {
		code, _ := strconv.Atoi(m[1]) // digits
		listed = append(listed, code)
	}
	if all := []int{exitDone, exitFailed, exitUsage, exitRefused, exitCheck, exitInterrupted}; !slices.Equal(listed, all) {
		t.Errorf("the topic lists %v, want %v", listed, all)
	}
}

// A name that was mistyped is answered with the nearest one there is, at every level.
func TestMistypedNames(t *testing.T) {
	t.Parallel()
	for line, part := range subtest.Rows(map[string]string{
		"certify --sgima 0.5":     "unknown flag --sgima; did you mean --sigma?",
		"zoo plan --simulte x":    "did you mean --simulate?",
		"certify --qiuet":         "did you mean --quiet?",
		"certify --frequency 3":   `run "ucan certify --help"`,
		"certfy":                  `did you mean "certify"?`,
		"certfy --model x":        `did you mean "certify"?`,
		"zoo pln":                 `did you mean "plan"?`,
		"zoo pln --workers 3":     `did you mean "plan"?`,
		"zoo --quiet pln":         `did you mean "plan"?`,
		"runtime docter":          `did you mean "doctor"?`,
		"train bsae":              `did you mean "base"?`,
		"npg chekc x":             `did you mean "check"?`,
		"help zo":                 `did you mean "zoo"?`,
		"help zoo pln":            `did you mean "plan"?`,
		"zoo":                     "no command given",
		"certify model.onnx":      "unexpected argument",
		"--no-such-flag certify":  "unknown flag --no-such-flag",
		"completion bsh":          `did you mean "bash"?`,
		"zoo frequency-histogram": "use cancel, export",
	}) {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			if got := want(t, exitUsage, strings.Fields(line)...); !strings.Contains(got.stderr, part) || strings.Count(got.stderr, "\n") > 1 {
				t.Errorf("%q: %s", line, got.stderr)
			}
		})
	}
}
