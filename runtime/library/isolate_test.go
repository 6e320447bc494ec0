package library

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

// A folder one changes into may hold anything that a package client would run:
// programs, modules, settings. None of it runs, whatever PATH and PYTHONPATH
// say.
func TestClientsRunNothingOfTheCurrentFolder(t *testing.T) {
	subtest.Long(t)
	python, err := exec.LookPath("python3")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("no python3 on this machine")
	}
	dir := isolate(t)
	here, marker := filepath.Join(dir, "here"), filepath.Join(dir, "marker")
	trap := []byte("open(" + pythonString(marker) + ", 'w').close()\n")
	for _, name := range []string{"pip.py", "site.py", "_distutils_hack/__init__.py", "sitecustomize.py", "usercustomize.py", "sysconfig.py"} {
		write(t, filepath.Join(here, name), trap)
		write(t, filepath.Join(here, "lib", name), trap)
	}
	for _, name := range []string{"python3", "python", "pip3", "pip", "npm", "ldconfig"} {
		write(t, filepath.Join(here, name), []byte("#!/bin/sh\necho > "+marker+"\n"))
	}
	write(t, filepath.Join(here, ".npmrc"), []byte("node-options=--require ./trap.js\n"))
	t.Chdir(here)
	t.Setenv("PYTHONPATH", "lib:.:"+here)
	t.Setenv("PYTHONSTARTUP", "pip.py")
	t.Setenv("PATH", strings.Join([]string{"", ".", "./", "../here", filepath.Dir(python), "/usr/bin", "/bin", ""}, ":"))
	t.Setenv("VIRTUAL_ENV", ".")
	t.Setenv("LD_LIBRARY_PATH", ".::lib")
	write(t, filepath.Join(here, "libonnxruntime.so.1"), native(t, Pinned))
	write(t, filepath.Join(here, "lib", "python3.12", "site-packages", "onnxruntime", "capi", "libonnxruntime.so.1"), native(t, Pinned))

	if l, _, lerr := Locate(t.Context(), Options{CacheDir: filepath.Join(dir, "cache")}); lerr == nil && strings.HasPrefix(l.Path, dir) {
		t.Errorf("a library of the current folder is used: %+v", l)
	}
	// An unknown package cannot be fetched, from an index that is not there.
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
	t.Setenv("PIP_RETRIES", "0")
	t.Setenv("npm_config_registry", "http://127.0.0.1:1/")
	t.Setenv("npm_config_fetch_retries", "0")
	for _, p := range []pin{
		{Package: "onnxruntime", Version: Pinned, Client: "pip", Platform: "x", File: "w.whl", Bytes: 1},
		{Package: "onnxruntime-node", Version: Pinned, Client: "npm", File: "w.tgz", Bytes: 1},
	} {
		if _, err := fetchByClient(t.Context(), p, t.TempDir(), Options{}); err == nil {
			t.Errorf("%s fetched a package from nowhere", p.Client)
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("code of the current folder ran")
	}
}

func pythonString(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

// What a client is started with: its folder, its arguments, its variables.
func TestClientsAreIsolated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the fake clients are shell scripts")
	}
	dir := isolate(t)
	bin, report := filepath.Join(dir, "bin"), filepath.Join(dir, "report")
	for _, name := range []string{"python3", "npm"} {
		write(t, filepath.Join(bin, name), []byte("#!/bin/sh\n{ echo \"cwd=$(pwd -P)\"; echo \"args=$*\"; env; ls -a; } > "+report+"\nexit 1\n"))
	}
	t.Setenv("PATH", bin+"::/usr/bin:/bin:.")
	for _, v := range []string{"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "NODE_OPTIONS", "NODE_PATH", "npm_config_node_options", "NPM_CONFIG_SCRIPT-SHELL", "PIP_PYTHON"} {
		t.Setenv(v, "/evil")
	}
	for _, v := range []string{"PIP_INDEX_URL", "HTTPS_PROXY", "npm_config_registry", "PIP_CERT"} {
		t.Setenv(v, "kept")
	}
	for client, arguments := range subtest.Rows(map[string]string{"pip": "-I -m pip download", "npm": "pack --silent --ignore-scripts"}) {
		t.Run(client, func(t *testing.T) {
			own, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			p := pin{Package: "onnxruntime", Version: Pinned, Client: client, Platform: "x", File: "w", Bytes: 1}
			_, _ = fetchByClient(t.Context(), p, own, Options{}) // fails: it delivers nothing
			data, err := os.ReadFile(report)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(data), "\n")
			for _, want := range []string{"cwd=" + own, "PWD=" + own, "TMPDIR=" + own, "PIP_INDEX_URL=kept", "HTTPS_PROXY=kept", "npm_config_registry=kept", "PIP_CERT=kept"} {
				if !slices.Contains(lines, want) {
					t.Errorf("%s: no %q in\n%s", client, want, data)
				}
			}
			if strings.Contains(string(data), "evil") || !strings.Contains(string(data), "args="+arguments) {
				t.Errorf("%s was started with\n%s", client, data)
			}
			if client == "npm" && !slices.Contains(lines, "package.json") {
				t.Error("npm would look for settings in the folders above")
			}
			for _, line := range lines {
				if list, ok := strings.CutPrefix(line, "PATH="); ok && list != bin+":/usr/bin:/bin" {
					t.Errorf("PATH is %q", list)
				}
			}
		})
	}
}

// A changed file of an installation is not loaded, and installing mends it.
func TestAChangedInstallationIsRefused(t *testing.T) {
	const provider = "libonnxruntime_providers_shared.so"
	for name, change := range subtest.Rows(map[string]func(path string) error{
		"a flipped bit": func(path string) error {
			data, err := os.ReadFile(path)
			data[len(data)/2] ^= 1
			return errors.Join(err, os.WriteFile(path, data, 0o755))
		},
		"one byte more": func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, append(data, 0), 0o755))
		},
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
		},
		"writable by all": func(path string) error { return os.Chmod(path, 0o777) },
		"its folder":      func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) },
		"no digest": func(path string) error {
			return rewrite(filepath.Join(filepath.Dir(path), manifestName), `"sha256": "`, `"sha": "`)
		},
		"another's digest": func(path string) error {
			return rewrite(filepath.Join(filepath.Dir(path), manifestName), `"sha256": "`, `"sha256": "0`)
		},
	}) {
		for _, file := range []string{"libonnxruntime.so.1", provider} {
			t.Run(name+" "+file, func(t *testing.T) {
				dir := isolate(t)
				cache := filepath.Join(dir, "cache")
				from := write(t, filepath.Join(dir, "lib", "libonnxruntime.so.1"), native(t, Pinned))
				write(t, filepath.Join(dir, "lib", provider), native(t, "0.0.0"))
				lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from})
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(filepath.Dir(lib.Path), file)
				if err = Unchanged(path); err != nil {
					t.Errorf("before: %v", err)
				}
				if err = change(path); err != nil {
					t.Fatal(err)
				}
				_, _, err = Locate(t.Context(), Options{CacheDir: cache})
				if !errors.Is(err, ErrChanged) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "ucan runtime install") && name != "its folder" {
					t.Errorf("located: %v", err)
				}
				if err = Unchanged(path); !errors.Is(err, ErrChanged) {
					t.Errorf("the file alone: %v", err)
				}
				if _, ok := installed(cache, Pinned, false); ok {
					t.Error("it counts as installed")
				}
				if _, err = Install(t.Context(), InstallOptions{CacheDir: cache, From: from}); err != nil {
					t.Fatal(err)
				}
				if _, _, err = Locate(t.Context(), Options{CacheDir: cache}); err != nil {
					t.Errorf("after installing anew: %v", err)
				}
			})
		}
	}
	if err := Unchanged(filepath.Join(t.TempDir(), "libonnxruntime_providers_cuda.so")); err != nil {
		t.Errorf("a file that was not installed: %v", err)
	}
}

// rewrite replaces text in a file.
func rewrite(path, old, with string) error {
	data, err := os.ReadFile(path)
	return errors.Join(err, os.WriteFile(path, []byte(strings.ReplaceAll(string(data), old, with)), 0o644))
}

// Whoever can write to the cache can replace the library.
func TestACacheOfOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are left to the system")
	}
	dir := isolate(t)
	cache := filepath.Join(dir, "cache")
	from := write(t, filepath.Join(dir, "libonnxruntime.so.1"), native(t, Pinned))
	lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		if _, _, lerr := Locate(t.Context(), Options{CacheDir: cache}); !errors.Is(lerr, ErrChanged) {
			t.Errorf("%s: located, %v", what, lerr)
		}
	}
	if err = os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	refused("writable by all")
	if _, err = Install(t.Context(), InstallOptions{CacheDir: cache, From: from}); err == nil {
		t.Error("installed where everybody can write")
	}
	if err = os.Chmod(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return // only the administrator can give files away
	}
	for _, path := range []string{cache, filepath.Dir(lib.Path), lib.Path} {
		if err = os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		refused(path + " of another user")
		if err = os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkUnchanged(b *testing.B) {
	l, _, err := Locate(b.Context(), Options{})
	if err != nil || l.Source != FromCache {
		b.Skip("no library in the cache")
	}
	for b.Loop() {
		if err := Unchanged(l.Path); err != nil {
			b.Fatal(err)
		}
	}
}
