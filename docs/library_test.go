package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLibraryPage makes a module outside the tree as docs/library.md says, with its programs, and
// builds them; the program without ONNX is run, and prints what the page says.
func TestLibraryPage(t *testing.T) {
	page, err := os.ReadFile("library.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(go)?\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks, want go.mod and two programs", len(blocks))
	}
	root, err := filepath.Abs(projectRoot)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       strings.Replace(blocks[0][2], "../ucan", root, 1),
		"go.sum":       string(sums),
		"disc/main.go": blocks[1][2],
		"onnx/main.go": blocks[2][2],
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		// All modules are in the cache since this test was built.
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	want := regexp.MustCompile(`c\.Radius\) // (.*)`).FindStringSubmatch(blocks[1][2])
	if got := run("run", "./disc"); want == nil || strings.TrimSpace(got) != want[1] {
		t.Errorf("the first program printed %q, the page says %q", got, want)
	}
	run("vet", "./onnx")
}

// TestRenameModule renames a copy of the tree and checks that its packages still find each other.
func TestRenameModule(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	const name = "example.org/some/ucan"
	module, _ := listPackages(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, sources{os.DirFS(projectRoot)}); err != nil {
		t.Fatal(err)
	}
	run := func(command string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), command, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := run("bash", ".ci/rename-module", name); !strings.Contains(out, fmt.Sprintf("renamed %s to %s", module, name)) {
		t.Errorf("it printed %q", out)
	}
	run("go", "list", "-deps", "-test", "./...") // fails if a package is missing
	if !testing.Short() {
		run("go", "vet", "./smooth/family", "./internal/dataset", "./docs")
	}
	if out := run("gofmt", "-l", "."); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	if out := run("go", "list", "-m"); strings.TrimSpace(out) != name {
		t.Errorf("the module is called %s", out)
	}
	// Strings that are hashed into seeds stay.
	for path, text := range map[string]string{"train/data/order.go": `"ucan/train/order"`, "smooth/stream/stream.go": `"ucan/stream/2\x00"`} {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))); err != nil || !strings.Contains(string(b), text) {
			t.Errorf("%s lost %s: %v", path, text, err)
		}
	}
	old := regexp.MustCompile(`(^|[^\w./-])` + regexp.QuoteMeta(module) + `/(smooth|runtime|models|npg|train|internal)\b`)
	for _, path := range []string{"go.mod", ".golangci.yml", "README.md", "docs/library.md", "docs/contract.md", "smooth/example_test.go"} {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil || old.Match(b) {
			t.Errorf("%s still has the old name: %q, %v", path, old.Find(b), err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, ".ci", "rename-module"), "not a path").CombinedOutput(); err == nil {
		t.Errorf("a name with blanks was taken: %s", out)
	}
}
