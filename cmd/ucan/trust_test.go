package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

// folders makes a current folder with this ucan.yaml in it, and a configuration folder of the
// user's with another.
func folders(t *testing.T, here, own string) (dir, config string) {
	t.Helper()
	dir, config = t.TempDir(), t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("HOME", config)
	put := func(path, content string) {
		if content == "" {
			return
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, "ucan.yaml"), here)
	put(filepath.Join(config, "ucan", "ucan.yaml"), own)
	return dir, config
}

// Words of a usage text that tell what kind a setting must have.
var (
	tellsCode    = regexp.MustCompile(`(?i)shared library|wheel|executable|plugin|program`)
	tellsAddress = regexp.MustCompile(`(?i)://|\baddress\b|\bURL\b|endpoint|proxy|password|token|credential`)
	tellsOutput  = regexp.MustCompile(`(?i)\bwrite\b|\bdraw\b|folder for|folder of what|bundle to write`)
)

// A new setting that loads code, names a service or writes must say so by its kind, from which its
// trust follows.
func TestSettingsOfDangerHaveTheirKind(t *testing.T) {
	t.Parallel()
	of := map[kind]int{}
	for _, s := range settings() {
		of[s.kind]++
		if s.kind == kindBool || s.kind == kindInt || s.key == "config" {
			continue
		}
		for want, pattern := range map[kind]*regexp.Regexp{kindCode: tellsCode, kindAddress: tellsAddress, kindOutput: tellsOutput} {
			about := pattern.MatchString(s.usage) || want == kindOutput && strings.HasSuffix(s.key, ".out")
			if about && s.kind != want && (s.kind != kindAddress || want != kindOutput) {
				t.Errorf("%s (%q) has kind %d and reads like kind %d", s.key, s.usage, s.kind, want)
			}
		}
	}
	for _, k := range []kind{kindCode, kindAddress, kindOutput} {
		if of[k] == 0 {
			t.Errorf("no setting has kind %d", k)
		}
	}
}

// Every setting of these kinds is refused in a file that nobody named, with the key and the ways to
// give it.
func TestFoldersMayNotLoadOrSend(t *testing.T) {
	for _, s := range settings() {
		if !needsConsent(s) {
			continue
		}
		t.Run(s.key, func(t *testing.T) {
			group, name, _ := strings.Cut(s.key, ".")
			folders(t, group+": {"+name+": x}\n", "")
			got := want(t, exitUsage, "config")
			for _, part := range []string{"line 1", s.key, "--" + s.flag, s.variable(), "--config ucan.yaml", "ucan/ucan.yaml"} {
				if !strings.Contains(got.stderr, part) {
					t.Errorf("no %q in: %s", part, got.stderr)
				}
			}
			want(t, exitDone, "config", "--config", "ucan.yaml")
			t.Setenv("UCAN_CONFIG", "./ucan.yaml")
			want(t, exitDone, "config")
		})
	}
}

func TestWhatAFolderMaySet(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		yaml string
		code int
	}{
		"plain settings":           {"statistics: {n: 500}\nnoise: {sigma: 0.5}\n", exitDone},
		"names of providers":       {"runtime: {providers: [cuda, cpu]}\n", exitDone},
		"numbers and constants":    {"runtime: {providers: [{cuda: {device_id: 0, gpu_mem_limit: 8e9, cudnn_conv_algo_search: EXHAUSTIVE, arena_extend_strategy: kSameAsRequested}}, cpu]}\n", exitDone},
		"outputs inside":           {"output: {tsv: runs/today/a.tsv, plot: a.png}\n", exitDone},
		"dotted key":               {"zoo.store: sqlite:x\n", exitUsage},
		"other case":               {"Runtime:\n  Library: evil.so\n", exitUsage},
		"an empty value":           {"runtime: {library: }\n", exitUsage},
		"an alias":                 {"data: {source: &x evil.so}\nruntime: {library: *x}\n", exitUsage},
		"a provider's library":     {"runtime: {providers: [{qnn: {backend_path: ./evil.so}}]}\n", exitUsage},
		"another's, without a dot": {"runtime: {providers: [{tensorrt: {trt_extra_plugin_lib_paths: EVIL}}]}\n", exitUsage},
		"a word in small letters":  {"runtime: {providers: [{vitisai: {something: evil}}]}\n", exitUsage},
		"a service":                {"runtime: {providers: [azure]}\n", exitUsage},
		"a service in a word":      {"runtime: {providers: \"cpu, Azure\"}\n", exitUsage},
		"output above":             {"output: {tsv: ../a.tsv}\n", exitUsage},
		"output elsewhere":         {"train: {out: /tmp/bundle}\n", exitUsage},
		"output over a link":       {"output: {jsonl: out/a.jsonl}\n", exitUsage},
		"output to a link":         {"grad: {out: link.onnx}\n", exitUsage},
		"output to a dead link":    {"zoo: {html: dead}\n", exitUsage},
		"a cache elsewhere":        {"zoo: {cache: /tmp}\n", exitUsage},
		"metrics for everybody":    {"worker: {metrics: 0.0.0.0:9464}\n", exitUsage},
	}) {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := folders(t, c.yaml, "")
			for link, target := range map[string]string{
				"out": elsewhere, "link.onnx": filepath.Join(elsewhere, "ucan.onnx"), "dead": filepath.Join(elsewhere, "none"),
			} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Skip(err)
				}
			}
			if err := os.WriteFile(filepath.Join(elsewhere, "ucan.onnx"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			want(t, c.code, "config")
		})
	}
}

// The user's own file gives what the folder's may not, and nothing else while that one is in force.
func TestTheUsersFileBesideTheFolders(t *testing.T) {
	folders(t, "noise: {sigma: 0.5}\n", "runtime: {library: /opt/mine.so}\nnoise: {sigma: 2}\nstatistics: {n: 77}\n")
	if v, from := effective(t, "runtime.library"); text(v) != "/opt/mine.so" || !strings.HasSuffix(from, "ucan/ucan.yaml") {
		t.Errorf("library %v from %s", v, from)
	}
	if v, from := effective(t, "noise.sigma"); text(v) != "0.5" || from != "file ucan.yaml" {
		t.Errorf("sigma %v from %s", v, from)
	}
	if v, from := effective(t, "statistics.n"); text(v) != "100000" || from != "default" {
		t.Errorf("n %v from %s", v, from)
	}
}

// In the user's own configuration folder, the file is the user's.
func TestTheUsersOwnFolder(t *testing.T) {
	_, config := folders(t, "", "runtime: {library: /opt/mine.so}\n")
	t.Chdir(filepath.Join(config, "ucan"))
	if v, _ := effective(t, "runtime.library"); text(v) != "/opt/mine.so" {
		t.Errorf("library %v", v)
	}
	if got := want(t, exitDone, "config"); got.stderr != "" {
		t.Errorf("a message about the user's own file: %s", got.stderr)
	}
}

func TestFolderFileIsAnnounced(t *testing.T) {
	const line = "configuration: ucan.yaml of the current folder is in force\n"
	folders(t, "quiet: true\nstatistics: {n: 500}\n", "")
	if got := want(t, exitDone, "config", "--format", "json"); got.stderr != line || !strings.HasPrefix(got.stdout, "{") {
		t.Errorf("stderr %q", got.stderr)
	}
	if got := want(t, exitDone, "config", "--quiet"); got.stderr != "" {
		t.Errorf("with --quiet: %q", got.stderr)
	}
	if got := want(t, exitDone, "config", "--quiet=false"); got.stderr != line {
		t.Errorf("with --quiet=false: %q", got.stderr)
	}
	if got := want(t, exitDone, "config", "--config", "ucan.yaml"); got.stderr != "" {
		t.Errorf("a file that was named: %q", got.stderr)
	}
	t.Setenv("UCAN_QUIET", "true")
	if err := os.WriteFile("ucan.yaml", []byte("seed: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := want(t, exitDone, "config"); got.stderr != "" {
		t.Errorf("with UCAN_QUIET: %q", got.stderr)
	}
	folders(t, "", "seed: 3\n")
	t.Setenv("UCAN_QUIET", "")
	if got := want(t, exitDone, "config"); got.stderr != "" {
		t.Errorf("the user's own file: %q", got.stderr)
	}
}

// A file of the current folder that is a link out of it, a device, a pipe, or huge, is refused at
// once.
func TestFolderFileIsAnOrdinaryFile(t *testing.T) {
	dir, elsewhere := folders(t, "", "")
	path, other := filepath.Join(dir, "ucan.yaml"), filepath.Join(elsewhere, "other.yaml")
	if err := os.WriteFile(other, []byte("seed: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, make := range subtest.Rows(map[string]func() error{
		"link":   func() error { return os.Symlink(other, path) },
		"device": func() error { return os.Symlink("/dev/zero", path) },
		"folder": func() error { return os.Mkdir(path, 0o755) },
		"huge":   func() error { return os.WriteFile(path, []byte(strings.Repeat("# x\n", maxConfig/4+1)), 0o644) },
	}) {
		t.Run(name, func(t *testing.T) {
			if err := make(); err != nil {
				t.Fatal(err)
			}
			if got := want(t, exitUsage, "config"); !strings.Contains(got.stderr, "--config") {
				t.Errorf("%s: %s", name, got.stderr)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(dir, "inner.yaml"), []byte("seed: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("inner.yaml", path); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, "config")
}
