package library

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

// isolate hides this machine's installations from the test.
func isolate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "PATH"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	return dir
}

func TestReadVersion(t *testing.T) {
	dir := t.TempDir()
	so := write(t, filepath.Join(dir, "libonnxruntime.so"), native(t, "1.25.3"))
	if v, err := ReadVersion(so); err != nil || v != "1.25.3" {
		t.Errorf("read %q, %v", v, err)
	}
	if _, err := ReadVersion(write(t, filepath.Join(dir, "other.so"), foreign(t, "1.25.3"))); err == nil || !strings.Contains(err.Error(), "built for") {
		t.Errorf("another processor's library: %v", err)
	}
	if _, err := ReadVersion(write(t, filepath.Join(dir, "text.so"), []byte("no library"))); err == nil {
		t.Error("text was taken for a library")
	}
	// Without version definitions the name tells.
	plain := bytes.Replace(native(t, "1.25.3"), []byte("VERS_"), []byte("ABCD_"), 1)
	if v, err := ReadVersion(write(t, filepath.Join(dir, "libonnxruntime.so.1.26.1"), plain)); err != nil || v != "1.26.1" {
		t.Errorf("read %q, %v from the name", v, err)
	}
	if v, err := ReadVersion(write(t, filepath.Join(dir, "libonnxruntime.so.1"), plain)); err != nil || v != "" {
		t.Errorf("read %q, %v where nothing tells", v, err)
	}
}

func FuzzReadVersion(f *testing.F) {
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		f.Add(fakeELF(Pinned, elf.EM_X86_64))
	}
	f.Add([]byte("\x7fELF"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "libonnxruntime.so")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		// Neither a panic nor a version that does not parse, on any system.
		for _, read := range []func(string, string) (string, error){elfVersion, machoVersion, peVersion} {
			if v, err := read(path, runtime.GOARCH); err == nil && v != "" {
				if _, ok := parseVersion(v); !ok {
					t.Errorf("read version %q", v)
				}
			}
		}
	})
}

func TestCheckVersion(t *testing.T) {
	for v, want := range subtest.Rows(map[string]bool{
		"1.23.2": false, "1.28.9": false, "1.29.0": true, "1.32.0": true, "1.99.9": true, "2.0.0": false, "0.9.9": false,
		"1.29.0-rc1": true,
	}) {
		t.Run(v, func(t *testing.T) {
			err := CheckVersion(v)
			if (err == nil) != want {
				t.Errorf("%s: %v", v, err)
			}
			var ve *VersionError
			if !want && !errors.As(err, &ve) {
				t.Errorf("%s: no VersionError: %v", v, err)
			}
		})
	}
	text := (&VersionError{"1.21.0"}).Error()
	for _, part := range []string{"1.21.0", "API 29", Oldest, Below, "ucan runtime install"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %q", part, text)
		}
	}
	for _, v := range []string{"", "x", "1", "v1.2.3"} {
		if err := CheckVersion(v); err == nil {
			t.Errorf("%q is a version", v)
		}
	}
}

func TestLocateOrder(t *testing.T) {
	dir := isolate(t)
	lib := native(t, Pinned)
	// The loader's path and a virtual environment; no cache yet.
	loader := write(t, filepath.Join(dir, "ld", "libonnxruntime.so.1"), lib)
	t.Setenv("LD_LIBRARY_PATH", filepath.Dir(loader)+":")
	if len(inSystem(t.Context())) > 0 {
		t.Skip("this system has an onnxruntime package")
	}
	o := Options{CacheDir: filepath.Join(dir, "cache")}
	locate := func() Library {
		t.Helper()
		l, _, err := Locate(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := locate(); l.Source != FromLoader || l.Path != loader || l.Version != Pinned {
		t.Errorf("found %+v", l)
	}
	wheel := write(t, filepath.Join(dir, "venv/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so."+Pinned), lib)
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "venv"))
	if l := locate(); l.Source != FromPython || l.Path != wheel {
		t.Errorf("found %+v", l)
	}
	if _, err := Install(t.Context(), InstallOptions{CacheDir: o.CacheDir, From: write(t, filepath.Join(dir, "x/libonnxruntime.so"), native(t, "1.99.0"))}); err != nil {
		t.Fatal(err)
	}
	if l := locate(); l.Source != FromCache || l.Version != "1.99.0" {
		t.Errorf("found %+v", l)
	}
	// The pinned version goes before a newer one.
	if _, err := Install(t.Context(), InstallOptions{CacheDir: o.CacheDir, From: wheel}); err != nil {
		t.Fatal(err)
	}
	if l := locate(); l.Source != FromCache || l.Version != Pinned {
		t.Errorf("found %+v", l)
	}
	// An explicit path, file or folder, goes before everything, and does not
	// fall through.
	o.Library = filepath.Dir(loader)
	if l := locate(); l.Source != FromPath || l.Path != loader {
		t.Errorf("found %+v", l)
	}
	for _, bad := range []string{filepath.Join(dir, "nowhere"), t.TempDir(), write(t, filepath.Join(dir, "old/libonnxruntime.so"), native(t, "1.21.0"))} {
		o.Library = bad
		if l, _, err := Locate(t.Context(), o); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %+v, %v", bad, l, err)
		}
		if _, err := Ensure(t.Context(), o); err == nil {
			t.Errorf("%s: Ensure went on", bad)
		}
	}
}

func TestLocateNeedsNoHome(t *testing.T) {
	dir := isolate(t)
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if len(inSystem(t.Context())) > 0 {
		t.Skip("this system has an onnxruntime package")
	}
	if _, err := Ensure(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("without a home: %v", err)
	}
	loader := write(t, filepath.Join(dir, "ld", "libonnxruntime.so"), native(t, Pinned))
	t.Setenv("LD_LIBRARY_PATH", filepath.Dir(loader))
	if l, _, err := Locate(t.Context(), Options{}); err != nil || l.Path != loader {
		t.Errorf("found %+v, %v", l, err)
	}
}

func TestLocatePassesOverUnfitLibraries(t *testing.T) {
	dir := isolate(t)
	write(t, filepath.Join(dir, "ld1", "libonnxruntime.so.1.21.0"), native(t, "1.21.0"))
	write(t, filepath.Join(dir, "ld2", "libonnxruntime.so"), foreign(t, Pinned))
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(dir, "ld1")+":"+filepath.Join(dir, "ld2"))
	o := Options{CacheDir: filepath.Join(dir, "cache"), NoInstall: true}
	if len(inSystem(t.Context())) > 0 {
		t.Skip("this system has an onnxruntime package")
	}
	_, rejected, err := Locate(t.Context(), o)
	if !errors.Is(err, ErrNotFound) || len(rejected) != 2 {
		t.Fatalf("%v, %v", rejected, err)
	}
	_, err = Ensure(t.Context(), o)
	for _, part := range []string{"1.21.0", "built for", "ucan runtime install", Environment} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
	// A build with CUDA is preferred on request only.
	write(t, filepath.Join(dir, "a", "libonnxruntime.so"), native(t, Pinned))
	cuda := write(t, filepath.Join(dir, "b", "libonnxruntime.so"), native(t, "1.29.0"))
	write(t, filepath.Join(dir, "b", FileName("onnxruntime_providers_cuda")), native(t, "0.0.0"))
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(dir, "a")+":"+filepath.Join(dir, "b"))
	for gpu, want := range map[bool]string{false: Pinned, true: "1.29.0"} {
		o.GPU = gpu
		if l, _, err := Locate(t.Context(), o); err != nil || l.Version != want || l.CUDA != gpu {
			t.Errorf("gpu %v: %+v, %v; the CUDA build is %s", gpu, l, err, cuda)
		}
	}
}
