package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var (
	urlPattern  = regexp.MustCompile(`[a-z]+://\S+`)
	pagePattern = regexp.MustCompile(`[\w./-]*\w\.md\b`)
	filePattern = regexp.MustCompile(`(?:^|[\s("` + "`" + `])((?:cmd|docs|fixtures|internal|models|npg|runtime|smooth|train|\.ci)/[\w./-]*\.(?:go|json|png|yaml|yml|py|proto|sh|s))\b`)
)

// citationFaults lists what a text that stands in dir cites and the tree lacks.
func citationFaults(tree fs.FS, dir, text string) (faults []string) {
	text = urlPattern.ReplaceAllString(text, "")
	exists := func(name string) bool {
		_, err := fs.Stat(tree, name)
		return err == nil
	}
	for _, name := range pagePattern.FindAllString(text, -1) {
		if !exists(path.Clean(name)) && !exists(path.Join(dir, name)) {
			faults = append(faults, name)
		}
	}
	for _, m := range filePattern.FindAllStringSubmatch(text, -1) {
		if name := path.Clean(m[1]); !exists(name) {
			faults = append(faults, name)
		}
	}
	return faults
}

// TestCommentsCiteTheTree: comments, and texts of the programs, name no page or file that the
// repository lacks.
func TestCommentsCiteTheTree(t *testing.T) {
	tree := os.DirFS(projectRoot)
	seen := 0
	err := fs.WalkDir(sources{tree}, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var texts []string
		switch path.Ext(name) {
		case ".go":
			text, err := fs.ReadFile(tree, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			texts = textsOf(file, strings.HasSuffix(name, "_test.go"))
		case ".py", ".sh", ".yml", ".proto":
			text, err := fs.ReadFile(tree, name)
			if err != nil {
				return err
			}
			texts = []string{string(text)}
		}
		for _, text := range texts {
			seen++
			for _, fault := range citationFaults(tree, path.Dir(name), text) {
				if strings.HasPrefix(name, "runtime/onnx/onnxpb/onnx-ml.") {
					continue // it cites pages of the ONNX project, where it comes from
				}
				t.Errorf("%s cites %s, which does not exist", name, fault)
			}
		}
		return nil
	})
	if err != nil || seen < 1000 {
		t.Errorf("read %d comments: %v", seen, err)
	}
}

// textsOf lists the comments of a file and, outside tests, its strings.
func textsOf(file *ast.File, test bool) (texts []string) {
	for _, c := range file.Comments {
		texts = append(texts, c.Text())
	}
	if test {
		return texts
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			texts = append(texts, lit.Value)
		}
		return true
	})
	return texts
}

// TestCitationFaults: the check finds what is missing, and passes what is there.
func TestCitationFaults(t *testing.T) {
	tree := os.DirFS(projectRoot)
	for text, want := range map[string]int{
		"see docs/limits.md":                           0,
		"see limits.md":                                0,
		"see README.md, docs/nowhere.md":               1,
		"as PLANS.md (d) has it":                       1,
		"in docs/layers_test.go":                       0,
		"in cmd/ucan/nowhere.go":                       1,
		"https://example.org/docs/nowhere.md":          0,
		"docs/zoo.schema.json and docs/no.schema.json": 1,
	} {
		if faults := citationFaults(tree, "docs", text); len(faults) != want {
			t.Errorf("%q: %q, want %d", text, faults, want)
		}
	}
}

var packageArgument = regexp.MustCompile(`(?:^|[\s(])\./((?:cmd|docs|fixtures|internal|models|npg|runtime|smooth|train)(?:/[\w-]+)*)`)

// TestScriptsNameWhatExists: packages that scripts and lint rules name are there.
func TestScriptsNameWhatExists(t *testing.T) {
	tree := os.DirFS(projectRoot)
	scripts, err := fs.Glob(tree, ".ci/*")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("found %v: %v", scripts, err)
	}
	named := 0
	for _, script := range scripts {
		var text []byte
		if text, err = fs.ReadFile(tree, script); err != nil {
			t.Fatal(err)
		}
		for _, m := range packageArgument.FindAllStringSubmatch(string(text), -1) {
			named++
			if _, err = fs.Stat(tree, m[1]); err != nil {
				t.Errorf("%s names ./%s, which does not exist", script, m[1])
			}
		}
	}
	rules, err := fs.ReadFile(tree, ".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\*\*/((?:internal|runtime|smooth|npg|models|train)[\w/-]*)/\*`).FindAllStringSubmatch(string(rules), -1) {
		named++
		if _, err := fs.Stat(tree, m[1]); err != nil {
			t.Errorf(".golangci.yml names %s, which does not exist", m[1])
		}
	}
	if named < 10 {
		t.Errorf("scripts and rules name %d packages; the pattern misses them", named)
	}
}

// TestCommentWidth: lines of comments end before column 100, a tab counted as four. A line that is
// one long word, and a comment behind code, may be longer.
func TestCommentWidth(t *testing.T) {
	const widest = 100
	err := fs.WalkDir(sources{os.DirFS(projectRoot)}, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".go" {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(projectRoot), name)
		if err != nil || strings.Contains(string(text[:min(len(text), 2000)]), "DO NOT EDIT") {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			comment, found := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// ")
			if !found || !strings.Contains(strings.TrimSpace(comment), " ") {
				continue
			}
			tabs := strings.Count(line, "\t")
			if width := utf8.RuneCountInString(line) + 3*tabs; width > widest {
				t.Errorf("%s:%d: the comment ends in column %d; break the line before %d", name, i+1, width, widest)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
