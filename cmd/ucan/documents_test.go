package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"ucan/fixtures/subtest"

	"github.com/spf13/cobra"
)

// documents returns the paths of every page of the project, from its root.
func documents(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(projectRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if !d.IsDir() && (strings.HasSuffix(path, ".md") || d.Name() == "NOTICE") {
			name, relErr := filepath.Rel(projectRoot, path)
			list = append(list, filepath.ToSlash(name))
			return relErr
		}
		return nil
	})
	if err != nil || len(list) < 10 {
		t.Fatalf("found %d documents: %v", len(list), err)
	}
	return list
}

const projectRoot = "../.."

// TestDocumentsNameWhatExists: every link of a document resolves, and every command, flag, file,
// folder and package that it names exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	root := newRootCommand(newApp(io.Discard, io.Discard))
	for _, name := range documents(t) {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(projectRoot, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faultsOf(root, name, string(text)) {
				t.Error(fault)
			}
		})
	}
}

// TestFaultsOfDocuments: the check finds each kind of fault, and passes what is right.
func TestFaultsOfDocuments(t *testing.T) {
	t.Parallel()
	root := newRootCommand(newApp(io.Discard, io.Discard))
	for text, want := range subtest.Rows(map[string]string{
		"[a](nowhere.md)":                                                     "link",
		"[a](../README.md#no-such-heading)":                                   "heading",
		"`ucan certfy --model m.onnx`":                                        "command",
		"`ucan zoo paln zoo.yaml`":                                            "command",
		"```sh\nucan certify --model-file m.onnx\n```":                        "flag",
		"```sh\nucan predict --model m.onnx \\\n  --no-such-flag 3\n```":      "flag",
		"`--no-such-flag 3` does":                                             "flag",
		"see `models/nowhere.go`":                                             "path",
		"see `docs/nowhere/`":                                                 "path",
		"`go doc " + moduleName() + "/smoooth`":                               "package",
		"the package `" + moduleName() + "/smooth/famly`":                     "package",
		"see `NOWHERE.md`":                                                    "path",
		"run `.ci/nothing`":                                                   "path",
		"[a](../README.md#two-commands), `ucan certify --sigma 1 --json`":     "",
		"`smooth/family`, `models/demo/README.md`, `go test ./smooth/family`": "",
		"`ucan train npg --kind KIND`, `train.jsonl`, `a/b.onnx`":             "",
		"`--shard i/k`, `ucan/zoo.db`, `SECURITY.md`, `LICENSE`, `.ci/run`":   "",
	}) {
		t.Run(text, func(t *testing.T) {
			faults := faultsOf(root, "docs/page.md", text)
			if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.HasPrefix(faults[0], want)) {
				t.Errorf("%q: %q; want a fault that starts with %q", text, faults, want)
			}
		})
	}
}

func faultsOf(root *cobra.Command, name, text string) []string {
	faults := linkFaults(name, text)
	for _, code := range codeOf(text) {
		faults = append(faults, commandFaults(root, code)...)
		faults = append(faults, bareFlagFaults(root, code)...)
		faults = append(faults, pathFaults(code)...)
	}
	return faults
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fencePattern   = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	spanPattern    = regexp.MustCompile("`([^`\n]+)`")
	headingPattern = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchorDrops    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func linkFaults(name, text string) (faults []string) {
	for _, m := range linkPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(text, ""), -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		path := filepath.Join(projectRoot, filepath.Dir(name), target)
		if target == "" {
			path = filepath.Join(projectRoot, name)
		}
		if _, err := os.Stat(path); err != nil {
			faults = append(faults, "link to "+m[1]+", which does not exist")
			continue
		}
		if anchor == "" || !strings.HasSuffix(path, ".md") {
			continue
		}
		page, err := os.ReadFile(path)
		if err != nil || !slices.Contains(anchorsOf(string(page)), anchor) {
			faults = append(faults, "heading "+m[1]+" does not exist")
		}
	}
	return faults
}

// anchorsOf returns the names by which the headings of a page can be linked to.
func anchorsOf(page string) (anchors []string) {
	for _, m := range headingPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(page, ""), -1) {
		plain := anchorDrops.ReplaceAllString(strings.ToLower(m[1]), "")
		anchors = append(anchors, strings.ReplaceAll(strings.TrimSpace(plain), " ", "-"))
	}
	return anchors
}

// codeOf returns what stands as code in a page: the lines of blocks, continued lines joined, and
// the spans between them.
func codeOf(text string) (code []string) {
	for _, m := range fencePattern.FindAllStringSubmatch(text, -1) {
		code = append(code, strings.Split(strings.ReplaceAll(m[1], "\\\n", " "), "\n")...)
	}
	for _, m := range spanPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(text, ""), -1) {
		code = append(code, m[1])
	}
	return code
}

var (
	commandPattern = regexp.MustCompile(`(?:^|[\s(;&|])(?:go run \./cmd/ucan|(?:\./)?ucan)((?: +[^\s|;&>)]+)*)`)
	wordPattern    = regexp.MustCompile(`^[a-z][a-z-]*$`)
	flagPattern    = regexp.MustCompile(`^--([a-z][a-z0-9-]*)`)
)

// commandFaults checks the command lines in a line of code. Words in capitals, brackets and dots
// stand for what a user fills in; alternatives are written a|b.
func commandFaults(root *cobra.Command, code string) (faults []string) {
	code, _, _ = strings.Cut(code, " #")
	for _, m := range commandPattern.FindAllStringSubmatch(code, -1) {
		words := strings.Fields(m[1])
		cmd := root
		for len(words) > 0 && wordPattern.MatchString(words[0]) && cmd.HasSubCommands() {
			next := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool {
				return c.Name() == words[0] || c.HasAlias(words[0])
			})
			if next < 0 {
				if words[0] != "help" && words[0] != "completion" {
					faults = append(faults, "command ucan "+strings.Join(words, " ")+" does not exist")
				}
				words = nil
				break
			}
			cmd, words = cmd.Commands()[next], words[1:]
		}
		for _, word := range words {
			flag := flagPattern.FindStringSubmatch(strings.Trim(word, "[]…"))
			if flag == nil || flag[1] == "help" {
				continue
			}
			if cmd.Flag(flag[1]) == nil && cmd.InheritedFlags().Lookup(flag[1]) == nil {
				faults = append(faults, "flag --"+flag[1]+" of "+cmd.CommandPath()+" does not exist")
			}
		}
	}
	return faults
}

var bareFlag = regexp.MustCompile(`(?:^|\s)--([a-z][a-z0-9-]*)`)

// bareFlagFaults checks flags that are named without their command: one command must have them.
func bareFlagFaults(root *cobra.Command, code string) (faults []string) {
	if !strings.HasPrefix(code, "--") {
		return nil
	}
	for _, m := range bareFlag.FindAllStringSubmatch(code, -1) {
		if name := m[1]; name != "help" && name != "ignore-scripts" && !someCommandHas(root, name) { // the second is npm's
			faults = append(faults, "flag --"+name+" does not exist")
		}
	}
	return faults
}

func someCommandHas(cmd *cobra.Command, flag string) bool {
	return cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil ||
		slices.ContainsFunc(cmd.Commands(), func(c *cobra.Command) bool { return someCommandHas(c, flag) })
}

var (
	// The project's own folders; other paths in documents are the reader's.
	pathPattern = regexp.MustCompile(`(?:^|[\s(])(?:\./)?((?:cmd|docs|fixtures|internal|models|npg|runtime|smooth|train|\.ci)/[\w./-]+)`)
	// Pages and settings in the root.
	rootPattern    = regexp.MustCompile(`^(?:[A-Z]+\.md|NOTICE|LICENSE|go\.mod|\.golangci\.yml)$`)
	packagePattern = regexp.MustCompile(`(?:go doc |"|^)` + regexp.QuoteMeta(moduleName()) + `/([a-z][a-z0-9/]*)`)
)

// moduleName is the module's import path.
func moduleName() string {
	text, err := os.ReadFile(filepath.Join(projectRoot, "go.mod"))
	if err != nil {
		return "no module"
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(first, "module ")
}

func pathFaults(code string) (faults []string) {
	exists := func(path string) bool {
		_, err := os.Stat(filepath.Join(projectRoot, path))
		return err == nil
	}
	for _, m := range pathPattern.FindAllStringSubmatch(code, -1) {
		path := strings.TrimRight(strings.TrimSuffix(m[1], "..."), "./")
		top, _, _ := strings.Cut(path, "/")
		// models/resnet.onnx and the like in examples are a user's own files.
		if ext := filepath.Ext(path); top == "models" && slices.Contains([]string{".onnx", ".yaml"}, ext) {
			continue
		}
		if strings.HasPrefix(filepath.Base(path), "NAME") { // for the reader to fill in
			continue
		}
		if !exists(path) {
			faults = append(faults, "path "+path+" does not exist")
		}
	}
	if rootPattern.MatchString(code) && !exists(code) {
		faults = append(faults, "path "+code+" does not exist")
	}
	for _, m := range packagePattern.FindAllStringSubmatch(code, -1) {
		// Only what begins with one of the project's folders is a package: ucan/zoo.db is not.
		path := strings.TrimRight(m[1], "/")
		if top, _, _ := strings.Cut(path, "/"); exists(top) && !exists(path) || strings.HasPrefix(strings.TrimSpace(code), "go doc") && !exists(path) {
			faults = append(faults, "package "+path+" does not exist")
		}
	}
	return faults
}
