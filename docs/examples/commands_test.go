package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ucan/runtime/runtimetest"
)

// TestExampleCommands runs the commands of each example's page on the stored files: predict as it
// stands, certify with few inputs and samples. The page must state the accuracy without noise.
func TestExampleCommands(t *testing.T) {
	t.Parallel()
	runtimetest.Open(t) // installs onnxruntime, or skips without it
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	ucan := filepath.Join(t.TempDir(), "ucan")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", ucan, "../../cmd/ucan").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := filepath.Glob("*/README.md")
	if err != nil || len(pages) < 6 {
		t.Fatalf("found the pages %q: %v", pages, err)
	}
	for _, page := range pages {
		t.Run(filepath.Dir(page), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			commands := commandsOf(string(text))
			if len(commands) < 3 {
				t.Fatalf("found the commands %q", commands)
			}
			dir := t.TempDir()
			for _, line := range commands {
				run := example{t: t, binary: ucan, dir: dir, page: string(text), line: line}
				run.check(strings.ReplaceAll(line, "docs/examples/", here+"/"))
			}
		})
	}
}

var (
	examplePattern = regexp.MustCompile(`(?m)^ *ucan .*$`)
	refusalPattern = regexp.MustCompile(`# refused, exit ([0-9]+)`)
	ofPattern      = regexp.MustCompile(`\(([0-9,]+) of ([0-9,]+)\)`)
)

// commandsOf returns the command lines of a page, continued lines joined.
func commandsOf(page string) []string {
	return examplePattern.FindAllString(strings.ReplaceAll(page, "\\\n", " "), -1)
}

// wordsOf splits a command line as a shell does: at spaces outside of quotes.
func wordsOf(line string) (words []string) {
	quoted := false
	for _, field := range strings.SplitAfter(line, "'") {
		text := strings.TrimSuffix(field, "'")
		switch {
		case quoted:
			words = append(words, text)
		default:
			words = append(words, strings.Fields(text)...)
		}
		quoted = quoted != strings.HasSuffix(field, "'")
	}
	return words
}

// example is one command of a page.
type example struct {
	t           *testing.T
	binary, dir string
	page, line  string
}

// check runs the command line and compares what it says with the page.
func (e example) check(line string) {
	e.t.Helper()
	wantCode := 0
	if m := refusalPattern.FindStringSubmatch(line); m != nil {
		wantCode, _ = strconv.Atoi(m[1])
	}
	line, _, _ = strings.Cut(line, " #")
	args := wordsOf(line)[1:]
	plain := args[0] == "predict" && slices.Contains(args, "--n")
	switch {
	case plain:
		args = append(args, "--format", "json")
	case args[0] == "certify":
		args = append(args, "--n", "500", "--max", "8", "--format", "json")
	}
	cmd := exec.CommandContext(e.t.Context(), e.binary, args...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+e.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		e.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		e.t.Fatalf("%s: exit %d, want %d\n%s%s", e.line, code, wantCode, stdout.String(), stderr.String())
	}
	switch {
	case plain:
		e.checkAccuracy(stdout.Bytes())
	case args[0] == "certify":
		e.checkCertificates(stdout.Bytes())
	}
}

// checkAccuracy looks for the answer of predict in the page, where it stands as (496 of 500).
func (e example) checkAccuracy(answer []byte) {
	e.t.Helper()
	var got struct{ Inputs, Correct int }
	if err := json.Unmarshal(answer, &got); err != nil {
		e.t.Fatalf("%v in %s", err, answer)
	}
	for _, m := range ofPattern.FindAllStringSubmatch(e.page, -1) {
		right, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		if m[2] == fmt.Sprint(got.Inputs) && right-1 <= got.Correct && got.Correct <= right+1 { // other processors round otherwise
			return
		}
	}
	e.t.Errorf("%s: %d of %d inputs are right; the page has %q", e.line, got.Correct, got.Inputs, ofPattern.FindAllString(e.page, -1))
}

// checkCertificates wants most of a few inputs certified for their own class.
func (e example) checkCertificates(answer []byte) {
	e.t.Helper()
	var got struct {
		Inputs, Correct int
		ACR             float64
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		e.t.Fatalf("%v in %s", err, answer)
	}
	if got.Inputs != 8 || got.Correct < 5 || got.ACR <= 0 {
		e.t.Errorf("%s: of %d inputs %d are right, with an average radius of %v", e.line, got.Inputs, got.Correct, got.ACR)
	}
}
