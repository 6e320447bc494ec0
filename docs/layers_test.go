// Package docs_test checks what the documents say about the tree.
package docs_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// pkg is a package of the module as the go command lists it.
type pkg struct {
	ImportPath, Name, Doc              string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

const projectRoot = ".."

// listPackages lists the packages of the module, with import paths relative to its root.
func listPackages(t *testing.T) (module string, list []pkg) {
	t.Helper()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = projectRoot
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	module = strings.TrimSpace(string(run("list", "-m")))
	d := json.NewDecoder(strings.NewReader(string(run("list", "-json=ImportPath,Name,Doc,GoFiles,Imports,TestImports,XTestImports", "./..."))))
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return module, list
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		list = append(list, p)
	}
}

// level is the floor of a package, from its import path in the module. The longest prefix of the
// table decides.
func level(path string) (floor int, found bool) {
	longest := -1
	for prefix, l := range map[string]int{
		"internal/atomicfile": 0, "internal/npy": 0, "fixtures": 0,
		"smooth": 1, "runtime": 1,
		"npg": 2, "models": 2,
		"train": 3, "internal": 3,
		"internal/zoo": 4, "internal/serve": 4,
		"cmd": 5, "docs": 5,
	} {
		if under(path, prefix) && len(prefix) > longest {
			longest, floor = len(prefix), l
		}
	}
	return floor, longest >= 0
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// TestNoImportRunsUpwards holds imports, those of tests included, to the plan of docs/design.md.
func TestNoImportRunsUpwards(t *testing.T) {
	module, list := listPackages(t)
	for _, p := range list {
		from, known := level(p.ImportPath)
		if !known {
			t.Errorf("%s is on no floor: add it to the table here, to .golangci.yml and to docs/design.md", p.ImportPath)
			continue
		}
		for i, imports := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for _, path := range imports {
				if fault := importFault(module, p.ImportPath, path, from, i > 0); fault != "" {
					t.Errorf("%s imports %s: %s", p.ImportPath, path, fault)
				}
			}
		}
	}
}

// importFault says why a package may not import another; "" if it may.
func importFault(module, importer, path string, from int, test bool) string {
	own, inside := strings.CutPrefix(path, module+"/")
	first, _, _ := strings.Cut(path, "/")
	standard := !inside && !strings.Contains(first, ".")
	if !inside {
		switch {
		case standard || test:
		case from == 0:
			return "the ground floor imports the standard library only"
		case under(importer, "smooth") && !under(path, "gonum.org/v1/gonum"):
			return "smooth imports the standard library and gonum only"
		case !under(importer, "cmd") && (under(path, "github.com/spf13/cobra") || under(path, "github.com/spf13/viper")):
			return "cobra and viper belong to cmd"
		}
		return ""
	}
	to, _ := level(own)
	switch {
	case to > from:
		return "imports point downwards"
	case to == 5 && from == 5:
		return "nothing imports a command"
	case from == 1 || from == 2:
		a, _, _ := strings.Cut(importer, "/")
		if b, _, _ := strings.Cut(own, "/"); to == from && a != b {
			return "rooms of one floor do not import each other"
		}
	}
	return ""
}

// TestImportFaults: the check finds each kind of fault, and passes what is right.
func TestImportFaults(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test, ok bool
	}{
		{"cmd/ucan", "m/internal/zoo/queue", false, true},
		{"cmd/ucan", "github.com/spf13/cobra", false, true},
		{"internal/zoo/cell", "m/internal/results", false, true},
		{"internal/results", "m/internal/zoo/cell", false, false},
		{"internal/results", "m/internal/table", false, true},
		{"internal/results", "github.com/spf13/viper", false, false},
		{"train/base", "m/internal/dataset", false, true},
		{"models/arch", "m/train/optim", false, false},
		{"models", "m/npg", false, false},
		{"npg/net", "m/npg", false, true},
		{"npg", "m/internal/npy", false, true},
		{"npg", "m/internal/dataset", false, false},
		{"smooth", "m/runtime/files", false, false},
		{"smooth", "m/internal/npy", false, true},
		{"smooth", "gonum.org/v1/gonum/stat", false, true},
		{"smooth", "golang.org/x/sys/cpu", false, false},
		{"smooth", "m/cmd/ucan", true, false},
		{"internal/npy", "m/smooth", false, false},
		{"internal/npy", "golang.org/x/sys/cpu", false, false},
		{"docs/examples", "m/cmd/ucan", false, false},
	} {
		floor, known := level(c.from)
		if fault := importFault("m", c.from, c.to, floor, c.test); !known || (fault == "") != c.ok {
			t.Errorf("%s imports %s: %q", c.from, c.to, fault)
		}
	}
}
