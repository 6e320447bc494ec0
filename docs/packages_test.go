package docs_test

import (
	"flag"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated tables of documents")

// TestPackagesAreListed holds the table of docs/design.md to the packages of the tree and the first
// sentences of their documentation.
func TestPackagesAreListed(t *testing.T) {
	const page, begin = "design.md", "| package | what it is |\n| --- | --- |\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, old, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no table of packages", page)
	}
	_, list := listPackages(t)
	slices.SortFunc(list, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	var table strings.Builder
	for _, p := range list {
		if len(p.GoFiles) == 0 {
			continue // a folder with tests only
		}
		line, ok := firstSentence(p)
		if !ok {
			t.Errorf("%s: its documentation begins %q; begin with \"Package %s …\", in present tense", p.ImportPath, p.Doc, p.Name)
		}
		table.WriteString("| `" + p.ImportPath + "` | " + line + " |\n")
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("the table of docs/%s is out of date; run: go test ./docs -run TestPackages -update", page)
	}
}

// firstSentence is the first sentence of a package's documentation, without its subject and without
// what follows a colon.
func firstSentence(p pkg) (line string, ok bool) {
	subject := "Package " + p.Name + " "
	if p.Name == "main" {
		subject = "Command " + path.Base(p.ImportPath) + " "
	}
	line, ok = strings.CutPrefix(p.Doc, subject)
	line, _, _ = strings.Cut(line, ": ")
	return strings.ReplaceAll(strings.TrimSuffix(line, "."), "|", `\|`), ok && line != ""
}
