package library

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// candidate is a library file and how it was found.
type candidate struct {
	path    string
	source  Source
	version string // when it is known better than the file tells
}

// libraryName matches the main library's file on the given system, in all the
// spellings of wheels, archives and distributions.
func libraryName(goos string) *regexp.Regexp {
	switch goos {
	case "windows":
		return regexp.MustCompile(`(?i)^onnxruntime\.dll$`)
	case "darwin", "ios":
		return regexp.MustCompile(`^libonnxruntime(\.\d+)*\.dylib$`)
	default:
		return regexp.MustCompile(`^libonnxruntime\.so(\.\d+)*$`)
	}
}

// companionName matches the files that belong beside it: provider libraries.
func companionName(goos string) *regexp.Regexp {
	switch goos {
	case "windows":
		return regexp.MustCompile(`(?i)^(onnxruntime_providers_\w+|directml)\.dll$`)
	case "darwin", "ios":
		return regexp.MustCompile(`^libonnxruntime_providers_\w+\.dylib$`)
	default:
		return regexp.MustCompile(`^libonnxruntime_providers_\w+\.so$`)
	}
}

// FileName is the file name of a shared library on this system, such as libNAME.so.
func FileName(name string) string {
	switch runtime.GOOS {
	case "windows":
		return name + ".dll"
	case "darwin", "ios":
		return "lib" + name + ".dylib"
	}
	return "lib" + name + ".so"
}

// librariesIn lists the main libraries in a folder, the most specific name
// (libonnxruntime.so.1.32.0 before libonnxruntime.so) first.
func librariesIn(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if libraryName(runtime.GOOS).MatchString(e.Name()) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(b, a)
	})
	return out
}

// inFolders lists the libraries of folders, each real file once.
func inFolders(source Source, dirs []string) []candidate {
	var out []candidate
	seen := make(map[string]bool)
	for _, dir := range dirs {
		for _, path := range librariesIn(dir) {
			real, err := filepath.EvalSymlinks(path)
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			out = append(out, candidate{path: path, source: source})
		}
	}
	return out
}

// inPython lists the libraries of pip-installed onnxruntime packages.
func inPython(ctx context.Context) []candidate {
	var dirs []string
	for _, site := range SitePackages(ctx) {
		dirs = append(dirs, filepath.Join(site, "onnxruntime", "capi"))
	}
	return inFolders(FromPython, dirs)
}

// SitePackages lists the package folders of the Python installations at hand:
// the active virtual or conda environment, those of the interpreters on the
// PATH, the user's and the system's.
func SitePackages(ctx context.Context) []string {
	var out []string
	add := func(dirs ...string) {
		for _, d := range dirs {
			if info, err := os.Stat(d); err == nil && info.IsDir() && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if prefix := os.Getenv(v); filepath.IsAbs(prefix) {
			add(sitesBelow(prefix)...)
		}
	}
	for _, python := range []string{"python3", "python"} {
		add(askPython(ctx, python)...)
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		add(sitesBelow(filepath.Join(home, ".local"))...)
	}
	add(sitesBelow("/usr/local")...)
	add(sitesBelow("/usr")...)
	add("/usr/lib/python3/dist-packages")
	return out
}

// sitesBelow lists the package folders of an installation prefix.
func sitesBelow(prefix string) []string {
	var out []string
	for _, pattern := range []string{
		"lib/python3*/site-packages", "lib64/python3*/site-packages",
		"lib/python3*/dist-packages", "Lib/site-packages",
	} {
		// The pattern is constant, so Glob cannot fail.
		match, _ := filepath.Glob(filepath.Join(prefix, filepath.FromSlash(pattern)))
		out = append(out, match...)
	}
	return out
}

// askPython asks an interpreter for its package folders: shims and wrappers on
// the PATH hide where the installation is. Isolated mode keeps files of the
// working folder from being imported.
func askPython(ctx context.Context, python string) []string {
	exe, err := program(python)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	const script = "import site,sysconfig\n" +
		"print(sysconfig.get_paths()['purelib'])\nprint(sysconfig.get_paths()['platlib'])\n" +
		"print(site.getusersitepackages())"
	out, err := isolated(ctx, exe, []string{"-I", "-c", script}, "").Output()
	if err != nil {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(out)) {
		if dir := strings.TrimSpace(line); filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// systemFolders are where distributions and package managers put libraries.
func systemFolders() []string {
	switch runtime.GOOS {
	case "windows":
		return nil
	case "darwin", "ios":
		return []string{"/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"}
	}
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	dirs := []string{"/usr/local/lib", "/usr/lib", "/usr/lib64", "/opt/onnxruntime/lib"}
	if triplet != "" {
		dirs = append(dirs, filepath.Join("/usr/lib", triplet), filepath.Join("/usr/local/lib", triplet))
	}
	return dirs
}

// inSystem lists the libraries of the system's folders and of ldconfig's cache.
func inSystem(ctx context.Context) []candidate {
	dirs := systemFolders()
	if runtime.GOOS == "linux" {
		for _, path := range ldconfig(ctx) {
			if libraryName("linux").MatchString(filepath.Base(path)) {
				dirs = append(dirs, filepath.Dir(path))
			}
		}
	}
	return inFolders(FromSystem, dirs)
}

// ldconfig lists the library paths in the dynamic loader's cache.
func ldconfig(ctx context.Context) []string {
	exe, err := program("ldconfig")
	if err != nil {
		exe = "/sbin/ldconfig" // not on an ordinary user's PATH
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := isolated(ctx, exe, []string{"-p"}, "").Output()
	if err != nil {
		return nil
	}
	var paths []string
	for line := range strings.Lines(string(out)) {
		if _, path, ok := strings.Cut(line, " => "); ok {
			paths = append(paths, strings.TrimSpace(path))
		}
	}
	return paths
}

// inLoaderPath lists the libraries in the absolute folders of the loader's
// variable.
func inLoaderPath() []candidate {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv(loaderVariable())) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return inFolders(FromLoader, dirs)
}
