package licenses

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

var update = flag.Bool("update", false, "write licenses.txt.gz anew")

const head = `ucan is licensed under the Apache License, Version 2.0 (the first text below).

The modules named above each of the other texts are linked into it, unchanged, in the versions given. The source of each
is found under its module path, by "go mod download PATH@VERSION"; this holds for those under the Mozilla Public License,
too (River and its user interface, whose pages also hold JavaScript packages that its repository lists).

onnxruntime is not linked: it is found on the machine, or installed from its official packages (MIT licence, Microsoft;
its packages bring LICENSE and ThirdPartyNotices). Execution providers and CUDA have licences of their own.
`

// linked is a package of the command, as "go list" tells it.
type linked struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// dependencies lists the packages that are linked into the command on Linux.
func dependencies(t *testing.T) []linked {
	t.Helper()
	if testing.Short() {
		t.Skip("lists all packages of the command")
	}
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", "../../cmd/ucan")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list: %v", err) // no Go command where a test binary runs alone
	}
	var list []linked
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p linked
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|patents|copyright)`)

// generate collects the licence files of all linked packages: those beside each package and above
// it in its module.
func generate(t *testing.T) string {
	t.Helper()
	owners := map[string]map[string]bool{} // modules by licence text
	add := func(owner, dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, e := range entries {
			if e.IsDir() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			key := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			if owners[key] == nil {
				owners[key] = map[string]bool{}
			}
			owners[key][owner] = true
			found++
		}
		return found
	}
	files := map[string]int{}
	seen := map[string]bool{}
	for _, p := range dependencies(t) {
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		owner := p.Module.Path + " " + p.Module.Version
		dirs := []string{filepath.Join(p.Module.Dir, "licenses")} // freetype's
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			dirs = append(dirs, dir)
			if dir == p.Module.Dir {
				break
			}
		}
		for _, dir := range dirs {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || seen[dir] {
				continue
			}
			seen[dir] = true
			if filepath.Base(dir) == "licenses" {
				entries, err := filepath.Glob(filepath.Join(dir, "*.txt"))
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range entries {
					text, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					key := strings.TrimSpace(string(text))
					if owners[key] == nil {
						owners[key] = map[string]bool{}
					}
					owners[key][owner] = true
				}
				continue
			}
			files[owner] += add(owner, dir)
		}
		files[owner] += 0
	}
	for owner, n := range subtest.Rows(files) {
		t.Run(owner, func(t *testing.T) {
			if n == 0 {
				t.Errorf("%s has no licence file", owner)
			}
		})
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	add("Go's standard library", strings.TrimSpace(string(root)))

	var blocks []string
	for text, by := range owners {
		names := slices.Sorted(maps.Keys(by))
		blocks = append(blocks, strings.Join(names, "\n")+"\n\n"+text+"\n")
	}
	slices.Sort(blocks)
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	const rule = "\n================================================================================\n"
	return head + rule + "ucan\n\n" + strings.TrimSpace(string(own)) + "\n" + rule + strings.Join(blocks, rule)
}

// TestLicensesAreThoseOfWhatIsLinked: a module that is added, or gets another version, needs its
// licence here.
func TestLicensesAreThoseOfWhatIsLinked(t *testing.T) {
	want := generate(t)
	if *update {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.WriteString(z, want); err == nil {
			err = errors.Join(z.Close(), os.WriteFile("licenses.txt.gz", b.Bytes(), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		packed = b.Bytes()
	}
	got, err := Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range dependencies(t) {
		if p.Module == nil || p.Module.Main {
			continue
		}
		if line := fmt.Sprintf("\n%s %s\n", p.Module.Path, p.Module.Version); !strings.Contains(got, line) {
			t.Errorf("the licence of %s is missing", strings.TrimSpace(line))
		}
	}
	// Go's own licence may be worded anew in another release.
	if without(got) != without(want) {
		t.Error("the licences are out of date; run: go test ./internal/licenses -update")
	}
}

// without drops the texts of Go's own files.
func without(text string) string {
	const rule = "\n================================================================================\n"
	return strings.Join(slices.DeleteFunc(strings.Split(text, rule), func(block string) bool {
		return strings.HasPrefix(block, "Go's standard library\n\n")
	}), rule)
}
