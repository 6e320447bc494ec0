package library

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"ucan/fixtures/subtest"
)

func TestInstallFromFiles(t *testing.T) {
	dir := isolate(t)
	shared := native(t, "0.0.0")
	const provider = "libonnxruntime_providers_shared.so"
	for name, from := range subtest.Rows(map[string]string{
		"wheel": zipFile(t, filepath.Join(dir, "onnxruntime-1.29.0-cp312-cp312-linux.whl"),
			entry{"onnxruntime/capi/libonnxruntime.so.1.29.0", native(t, "1.29.0")},
			entry{"onnxruntime/capi/" + provider, shared}, entry{"onnxruntime/__init__.py", []byte("x")}),
		"archive": tgzFile(t, filepath.Join(dir, "onnxruntime-linux.tgz"),
			entry{"pkg/lib/libonnxruntime.so", nil}, // a link: not followed
			entry{"pkg/lib/libonnxruntime.so.1.29.0", native(t, "1.29.0")}, entry{"../../" + provider, shared}),
		"npm": tgzFile(t, filepath.Join(dir, "node.tgz"),
			entry{"package/bin/arm/libonnxruntime.so.1", foreign(t, "1.29.0")},
			entry{"package/bin/this/libonnxruntime.so.1", native(t, "1.29.0")},
			entry{"package/bin/win/onnxruntime.dll", []byte("MZ")}, entry{"package/" + provider, shared}),
		"library": write(t, filepath.Join(dir, "lib", "libonnxruntime.so.1"), native(t, "1.29.0")),
	}) {
		t.Run(name, func(t *testing.T) {
			if name == "library" {
				write(t, filepath.Join(dir, "lib", provider), shared)
			}
			cache := t.TempDir()
			var lines []string
			lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from, Progress: func(s string) { lines = append(lines, s) }})
			if err != nil {
				t.Fatal(err)
			}
			if lib.Version != "1.29.0" || lib.Source != FromCache || lib.CUDA {
				t.Errorf("installed %+v", lib)
			}
			if data, rerr := os.ReadFile(lib.Path); rerr != nil || !bytes.Equal(data, native(t, "1.29.0")) {
				t.Errorf("the library's bytes are not those of the package: %v", rerr)
			}
			if _, serr := os.Stat(filepath.Join(filepath.Dir(lib.Path), provider)); serr != nil {
				t.Error(serr)
			}
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "installed onnxruntime 1.29.0") || strings.Contains(lines[0], "\n") {
				t.Errorf("it said %q", lines)
			}
			entries, err := os.ReadDir(cache)
			if err != nil || len(entries) != 2 { // the lock and the library
				t.Errorf("left in the cache: %v, %v", entries, err)
			}
			// A second time replaces it.
			if _, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	dir := isolate(t)
	list, err := pins(platform(), false)
	if err != nil {
		t.Skip(err)
	}
	for name, from := range subtest.Rows(map[string]string{
		"missing file":    filepath.Join(dir, "nothing.whl"),
		"unknown kind":    write(t, filepath.Join(dir, "model.onnx"), []byte("x")),
		"torn wheel":      write(t, filepath.Join(dir, "torn.whl"), []byte("PK\x03\x04")),
		"torn archive":    write(t, filepath.Join(dir, "torn.tgz"), []byte("\x1f\x8b")),
		"no library":      zipFile(t, filepath.Join(dir, "empty.whl"), entry{"readme", []byte("x")}),
		"other processor": zipFile(t, filepath.Join(dir, "arm.whl"), entry{"libonnxruntime.so." + Pinned, foreign(t, Pinned)}),
		"too old":         zipFile(t, filepath.Join(dir, "old.whl"), entry{"libonnxruntime.so.1.21.0", native(t, "1.21.0")}),
		"altered pin":     zipFile(t, filepath.Join(dir, list[0].File), entry{"libonnxruntime.so." + Pinned, native(t, Pinned)}),
	}) {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(dir, "cache", name)
			lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from})
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %+v, %v", name, lib, err)
			}
			entries, rerr := os.ReadDir(cache)
			if rerr != nil || len(entries) != 1 {
				t.Errorf("%s left %v, %v", name, entries, rerr)
			}
		})
	}
}

// pinnedByTest makes the package client deliver a file of the test's.
func pinnedByTest(data []byte, calls *int) func(context.Context, pin, string, Options) (string, error) {
	var mu sync.Mutex
	return func(_ context.Context, p pin, dir string, _ Options) (string, error) {
		mu.Lock()
		*calls++
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		path := filepath.Join(dir, p.File)
		return path, os.WriteFile(path, data, 0o600)
	}
}

func TestInstallVerifiesThePin(t *testing.T) {
	dir := isolate(t)
	if _, err := pins(platform(), false); err != nil {
		t.Skip(err)
	}
	calls := 0
	_, err := Install(t.Context(), InstallOptions{CacheDir: filepath.Join(dir, "c"), fetch: pinnedByTest([]byte("evil"), &calls)})
	if err == nil || !strings.Contains(err.Error(), "instead of the pinned") || !strings.Contains(err.Error(), "--from FILE") {
		t.Errorf("unverified bytes: %v", err)
	}
	if calls != 2 { // pip, then npm
		t.Errorf("%d clients were tried", calls)
	}
}

func TestConcurrentInstallsDoTheWorkOnce(t *testing.T) {
	dir := isolate(t)
	wheel := zipFile(t, filepath.Join(dir, "w.whl"), entry{"libonnxruntime.so." + Pinned, native(t, Pinned)})
	data, err := os.ReadFile(wheel)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := hashFile(wheel)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	fetch := pinnedByTest(data, &calls)
	p := pin{Package: "onnxruntime", Version: Pinned, Client: "pip", File: "w.whl", Bytes: int64(len(data)), SHA256: sum}
	cache := filepath.Join(dir, "cache")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			lib, err := installOnce(t.Context(), InstallOptions{CacheDir: cache, fetch: fetch}, []pin{p})
			if err != nil || lib.Version != Pinned {
				t.Errorf("installed %+v, %v", lib, err)
			}
		})
	}
	wg.Wait()
	if calls != 1 {
		t.Errorf("fetched %d times", calls)
	}
}

func TestLeftOversOfAKilledInstallationAreSwept(t *testing.T) {
	dir := isolate(t)
	cache := filepath.Join(dir, "cache")
	write(t, filepath.Join(cache, ".download-1", "half.whl"), []byte("PK"))
	write(t, filepath.Join(cache, ".install-2", "libonnxruntime.so"), native(t, Pinned))
	if c := inCache(cache); len(c) != 0 {
		t.Errorf("an unfinished installation is used: %v", c)
	}
	from := write(t, filepath.Join(dir, "libonnxruntime.so"), native(t, Pinned))
	if _, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from}); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(cache, ".[di]*")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLockIsCancelled(t *testing.T) {
	cache := t.TempDir()
	unlock, err := lock(t.Context(), cache, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	said := ""
	_, err = lock(ctx, cache, Options{Progress: func(s string) { said = s }})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(said, "waiting") {
		t.Errorf("%v after %q", err, said)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestADamagedInstallationIsNotUsed(t *testing.T) {
	dir := isolate(t)
	cache := filepath.Join(dir, "cache")
	lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: write(t, filepath.Join(dir, "libonnxruntime.so"), native(t, Pinned))})
	if err != nil {
		t.Fatal(err)
	}
	if len(inCache(cache)) != 1 {
		t.Fatal("the installation is not seen")
	}
	if err := os.Truncate(lib.Path, 100); err != nil {
		t.Fatal(err)
	}
	if l, _, err := Locate(t.Context(), Options{CacheDir: cache}); !errors.Is(err, ErrChanged) {
		t.Errorf("a truncated library is used: %v, %v", l, err)
	}
	// A manifest may not lead out of its folder.
	write(t, filepath.Join(filepath.Dir(lib.Path), manifestName), fmt.Appendf(nil,
		`{"version":%q,"platform":%q,"library":"../x","files":[{"name":"../x","bytes":1}]}`, Pinned, platform()))
	write(t, filepath.Join(cache, "x"), []byte("x"))
	if c := inCache(cache); len(c) != 0 {
		t.Errorf("a library outside is used: %v", c)
	}
}

func TestPinsAreComplete(t *testing.T) {
	for _, p := range platforms() {
		list, err := pins(p, false)
		if err != nil {
			t.Error(err)
		}
		for _, x := range list {
			if len(x.SHA256) != 64 || x.Bytes < 1e6 || !strings.Contains(x.File, x.Version) || CheckVersion(x.Version) != nil {
				t.Errorf("%s: %+v", p, x)
			}
			if got, ok := pinnedFile(x.File); !ok || got.SHA256 != x.SHA256 {
				t.Errorf("%s is not found by its name", x.File)
			}
		}
	}
	if _, err := pins("plan9/386", false); err == nil || !strings.Contains(err.Error(), "--from FILE") {
		t.Errorf("an unsupported platform: %v", err)
	}
	if _, err := pins("darwin/arm64", true); err == nil {
		t.Error("there is CUDA on macOS")
	}
}

func TestClientFailuresAreOneLine(t *testing.T) {
	dir := isolate(t)
	p := pin{Package: "onnxruntime", Version: Pinned, Client: "pip", Platform: "x", File: "w.whl", Bytes: 1}
	if _, err := fetchByClient(t.Context(), p, dir, Options{}); !errors.Is(err, errNoClient) {
		t.Errorf("without a client: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	script := func(text string) {
		write(t, filepath.Join(dir, "bin", "python3"), []byte("#!/bin/sh\n"+text+"\n"))
	}
	sh, err := exec.LookPath("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	_ = sh
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	script("echo 'noise' >&2; echo 'ERROR: No matching distribution found for onnxruntime==1.32.0' >&2; exit 1")
	if _, err := fetchByClient(t.Context(), p, dir, Options{}); err == nil || err.Error() != "No matching distribution found for onnxruntime==1.32.0" {
		t.Errorf("pip's complaint became %v", err)
	}
	script("echo '/usr/bin/python3: No module named pip' >&2; exit 1")
	if _, err := fetchByClient(t.Context(), p, dir, Options{}); !errors.Is(err, errNoClient) {
		t.Errorf("python without pip: %v", err)
	}
	script("exit 0")
	if _, err := fetchByClient(t.Context(), p, dir, Options{}); err == nil || !strings.Contains(err.Error(), "did not deliver") {
		t.Errorf("nothing delivered: %v", err)
	}
	script("exec sleep 30")
	t.Setenv("PATH", filepath.Join(dir, "bin")+":/bin:/usr/bin")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := fetchByClient(ctx, p, dir, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
}
