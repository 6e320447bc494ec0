package library

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Programs of others (package clients, interpreters) run isolated from the
// current folder, which may hold anything: they are looked up in the absolute
// folders of PATH alone, start in a folder of our own, and get no variable
// that names code to load or options to run it.

// program finds an executable in the absolute folders of PATH. Empty and
// relative entries stand for the current folder, so they are passed over.
func program(name string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		// For an absolute name, LookPath adds the system's suffixes and
		// checks that it can be executed.
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// isolated prepares a program that starts in the folder dir; "" stands for the
// top of the file system.
func isolated(ctx context.Context, exe string, args []string, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, exe, args...)
	if dir == "" {
		dir = filepath.VolumeName(exe) + string(filepath.Separator)
	}
	cmd.Dir, cmd.Env = dir, append(isolatedEnvironment(os.Environ()), "PWD="+dir)
	return cmd
}

// isolatedEnvironment drops the variables that redirect code, and entries of
// search paths that are not absolute.
func isolatedEnvironment(environ []string) []string {
	var out []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		switch {
		case redirectsCode(upper):
			continue
		case searchPath(upper):
			entry = name + "=" + absoluteEntries(value)
		}
		out = append(out, entry)
	}
	return out
}

// redirectsCode names variables that make an interpreter or a package client
// load other code, run other programs, or look into the folder left behind.
// Those for an index, a proxy or certificates are kept: they are how a user
// reaches the packages, and what is fetched is checked against a pinned digest.
func redirectsCode(upper string) bool {
	if strings.HasPrefix(upper, "PYTHON") {
		return true
	}
	if option, ok := strings.CutPrefix(upper, "NPM_CONFIG_"); ok {
		switch strings.ReplaceAll(option, "-", "_") {
		case "NODE_OPTIONS", "SCRIPT_SHELL", "SHELL", "PREFIX", "LOCAL_PREFIX", "INIT_MODULE", "ONLOAD_SCRIPT", "GIT":
			return true
		}
	}
	return slices.Contains([]string{
		"NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "PIP_PYTHON", "PIP_EDITABLE", "PIP_REQUIREMENT",
		"PWD", "OLDPWD", "INIT_CWD", "BASH_ENV", "ENV",
	}, upper)
}

// searchPath names the variables that list folders of programs and libraries.
func searchPath(upper string) bool {
	return upper == "PATH" || upper == "LD_LIBRARY_PATH" || upper == "DYLD_LIBRARY_PATH" || upper == "DYLD_FALLBACK_LIBRARY_PATH"
}

// absoluteEntries keeps the absolute folders of a list.
func absoluteEntries(list string) string {
	folders := slices.DeleteFunc(filepath.SplitList(list), func(dir string) bool { return !filepath.IsAbs(dir) })
	return strings.Join(folders, string(filepath.ListSeparator))
}

// loaderVariable names the variable of the dynamic loader's search path.
func loaderVariable() string {
	switch runtime.GOOS {
	case "windows":
		return "PATH"
	case "darwin":
		return "DYLD_LIBRARY_PATH"
	}
	return "LD_LIBRARY_PATH"
}
