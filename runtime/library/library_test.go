package library

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
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
)

// fakeELF is a minimal shared library for this machine: a header, the dynamic
// section and the version definitions that ReadVersion looks for. It cannot be
// loaded, which nothing here does.
func fakeELF(version string, machine elf.Machine) []byte {
	soname, vers := "libonnxruntime.so.1", "VERS_"+version
	dynstr := "\x00" + soname + "\x00" + vers + "\x00"
	nSoname, nVers := uint32(1), uint32(2+len(soname))
	le := binary.LittleEndian
	var verdef []byte
	for i, name := range []uint32{nSoname, nVers} {
		next := uint32(28)
		if i == 1 {
			next = 0
		}
		verdef = le.AppendUint16(verdef, 1)           // vd_version
		verdef = le.AppendUint16(verdef, uint16(1-i)) // vd_flags: BASE for the first
		verdef = le.AppendUint16(verdef, uint16(i+1)) // vd_ndx
		verdef = le.AppendUint16(verdef, 1)           // vd_cnt
		verdef = le.AppendUint32(verdef, 0)           // vd_hash
		verdef = le.AppendUint32(verdef, 20)          // vd_aux
		verdef = le.AppendUint32(verdef, next)        // vd_next
		verdef = le.AppendUint32(verdef, name)        // vda_name
		verdef = le.AppendUint32(verdef, 0)           // vda_next
	}
	dynamic := func(base uint64) []byte {
		var d []byte
		for _, e := range [][2]uint64{
			{uint64(elf.DT_STRTAB), base}, {uint64(elf.DT_SONAME), uint64(nSoname)},
			{uint64(elf.DT_VERDEFNUM), 2}, {uint64(elf.DT_NULL), 0},
		} {
			d = le.AppendUint64(le.AppendUint64(d, e[0]), e[1])
		}
		return d
	}
	const header = 64
	shstr := "\x00.dynstr\x00.gnu.version_d\x00.dynamic\x00.shstrtab\x00"
	at := uint64(header)
	offStr := at
	at += uint64(len(dynstr))
	offDef := at
	at += uint64(len(verdef))
	offDyn := at
	dyn := dynamic(offStr)
	at += uint64(len(dyn))
	offShs := at
	at += uint64(len(shstr))

	var b bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Shoff: at,
		Ehsize: header, Shentsize: 64, Shnum: 5, Shstrndx: 4,
	}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	put := func(v any) {
		if err := binary.Write(&b, le, v); err != nil {
			panic(err)
		}
	}
	put(h)
	b.WriteString(dynstr)
	b.Write(verdef)
	b.Write(dyn)
	b.WriteString(shstr)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: offStr, Size: uint64(len(dynstr))})
	put(elf.Section64{Name: 9, Type: uint32(elf.SHT_GNU_VERDEF), Off: offDef, Size: uint64(len(verdef)), Link: 1, Info: 2})
	put(elf.Section64{Name: 24, Type: uint32(elf.SHT_DYNAMIC), Off: offDyn, Size: uint64(len(dyn)), Link: 1, Entsize: 16})
	put(elf.Section64{Name: 33, Type: uint32(elf.SHT_STRTAB), Off: offShs, Size: uint64(len(shstr))})
	return b.Bytes()
}

// native is a fake library for this machine; the tests that need one are
// Linux's.
func native(t testing.TB, version string) []byte {
	t.Helper()
	machine, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if runtime.GOOS != "linux" || !ok {
		t.Skip("fake libraries are made for Linux only")
	}
	return fakeELF(version, machine)
}

// foreign is one for another processor.
func foreign(t testing.TB, version string) []byte {
	t.Helper()
	machine := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_X86_64
	}
	return fakeELF(version, machine)
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

type entry struct {
	name string
	data []byte
}

func zipFile(t testing.TB, path string, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, path, b.Bytes())
}

func tgzFile(t testing.TB, path string, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.data == nil {
			h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return write(t, path, b.Bytes())
}

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
		f.Add(fakeELF("1.27.0", elf.EM_X86_64))
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
	for v, want := range map[string]bool{
		"1.23.2": false, "1.24.0": true, "1.27.0": true, "1.32.0": true, "1.99.9": true, "2.0.0": false, "0.9.9": false,
		"1.27.0-rc1": true,
	} {
		err := CheckVersion(v)
		if (err == nil) != want {
			t.Errorf("%s: %v", v, err)
		}
		var ve *VersionError
		if !want && !errors.As(err, &ve) {
			t.Errorf("%s: no VersionError: %v", v, err)
		}
	}
	text := (&VersionError{"1.21.0"}).Error()
	for _, part := range []string{"1.21.0", "API 24", Oldest, Below, "ucan runtime install"} {
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
	lib := native(t, "1.27.0")
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
	if l := locate(); l.Source != FromLoader || l.Path != loader || l.Version != "1.27.0" {
		t.Errorf("found %+v", l)
	}
	wheel := write(t, filepath.Join(dir, "venv/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0"), lib)
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "venv"))
	if l := locate(); l.Source != FromPython || l.Path != wheel {
		t.Errorf("found %+v", l)
	}
	if _, err := Install(t.Context(), InstallOptions{CacheDir: o.CacheDir, From: write(t, filepath.Join(dir, "x/libonnxruntime.so"), native(t, "1.30.0"))}); err != nil {
		t.Fatal(err)
	}
	if l := locate(); l.Source != FromCache || l.Version != "1.30.0" {
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
	o.Path = filepath.Dir(loader)
	if l := locate(); l.Source != FromPath || l.Path != loader {
		t.Errorf("found %+v", l)
	}
	for _, bad := range []string{filepath.Join(dir, "nowhere"), t.TempDir(), write(t, filepath.Join(dir, "old/libonnxruntime.so"), native(t, "1.21.0"))} {
		o.Path = bad
		if l, _, err := Locate(t.Context(), o); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %+v, %v", bad, l, err)
		}
		if _, err := Ensure(t.Context(), o); err == nil {
			t.Errorf("%s: Ensure went on", bad)
		}
	}
}

func TestLocatePassesOverUnfitLibraries(t *testing.T) {
	dir := isolate(t)
	write(t, filepath.Join(dir, "ld1", "libonnxruntime.so.1.21.0"), native(t, "1.21.0"))
	write(t, filepath.Join(dir, "ld2", "libonnxruntime.so"), foreign(t, "1.27.0"))
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
	write(t, filepath.Join(dir, "a", "libonnxruntime.so"), native(t, "1.27.0"))
	cuda := write(t, filepath.Join(dir, "b", "libonnxruntime.so"), native(t, "1.26.0"))
	write(t, filepath.Join(dir, "b", cudaProviderName()), native(t, "0.0.0"))
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(dir, "a")+":"+filepath.Join(dir, "b"))
	for gpu, want := range map[bool]string{false: "1.27.0", true: "1.26.0"} {
		o.GPU = gpu
		if l, _, err := Locate(t.Context(), o); err != nil || l.Version != want || l.CUDA != gpu {
			t.Errorf("gpu %v: %+v, %v; the CUDA build is %s", gpu, l, err, cuda)
		}
	}
}

func TestInstallFromFiles(t *testing.T) {
	dir := isolate(t)
	shared := native(t, "0.0.0")
	const provider = "libonnxruntime_providers_shared.so"
	for name, from := range map[string]string{
		"wheel": zipFile(t, filepath.Join(dir, "onnxruntime-1.26.0-cp312-cp312-linux.whl"),
			entry{"onnxruntime/capi/libonnxruntime.so.1.26.0", native(t, "1.26.0")},
			entry{"onnxruntime/capi/" + provider, shared}, entry{"onnxruntime/__init__.py", []byte("x")}),
		"archive": tgzFile(t, filepath.Join(dir, "onnxruntime-linux.tgz"),
			entry{"pkg/lib/libonnxruntime.so", nil}, // a link: not followed
			entry{"pkg/lib/libonnxruntime.so.1.26.0", native(t, "1.26.0")}, entry{"../../" + provider, shared}),
		"npm": tgzFile(t, filepath.Join(dir, "node.tgz"),
			entry{"package/bin/arm/libonnxruntime.so.1", foreign(t, "1.26.0")},
			entry{"package/bin/this/libonnxruntime.so.1", native(t, "1.26.0")},
			entry{"package/bin/win/onnxruntime.dll", []byte("MZ")}, entry{"package/" + provider, shared}),
		"library": write(t, filepath.Join(dir, "lib", "libonnxruntime.so.1"), native(t, "1.26.0")),
	} {
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
			if lib.Version != "1.26.0" || lib.Source != FromCache || lib.CUDA {
				t.Errorf("installed %+v", lib)
			}
			if data, err := os.ReadFile(lib.Path); err != nil || !bytes.Equal(data, native(t, "1.26.0")) {
				t.Errorf("the library's bytes are not those of the package: %v", err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(lib.Path), provider)); err != nil {
				t.Error(err)
			}
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "installed onnxruntime 1.26.0") || strings.Contains(lines[0], "\n") {
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
	for name, from := range map[string]string{
		"missing file":    filepath.Join(dir, "nothing.whl"),
		"unknown kind":    write(t, filepath.Join(dir, "model.onnx"), []byte("x")),
		"torn wheel":      write(t, filepath.Join(dir, "torn.whl"), []byte("PK\x03\x04")),
		"torn archive":    write(t, filepath.Join(dir, "torn.tgz"), []byte("\x1f\x8b")),
		"no library":      zipFile(t, filepath.Join(dir, "empty.whl"), entry{"readme", []byte("x")}),
		"other processor": zipFile(t, filepath.Join(dir, "arm.whl"), entry{"libonnxruntime.so.1.27.0", foreign(t, "1.27.0")}),
		"too old":         zipFile(t, filepath.Join(dir, "old.whl"), entry{"libonnxruntime.so.1.21.0", native(t, "1.21.0")}),
		"altered pin":     zipFile(t, filepath.Join(dir, list[0].File), entry{"libonnxruntime.so.1.27.0", native(t, "1.27.0")}),
	} {
		cache := filepath.Join(dir, "cache", name)
		lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: from})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %+v, %v", name, lib, err)
		}
		entries, rerr := os.ReadDir(cache)
		if rerr != nil || len(entries) != 1 {
			t.Errorf("%s left %v, %v", name, entries, rerr)
		}
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
	wheel := zipFile(t, filepath.Join(dir, "w.whl"), entry{"libonnxruntime.so.1.27.0", native(t, Pinned)})
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
	p := pin{Package: "onnxruntime", Client: "pip", File: "w.whl", Bytes: int64(len(data)), SHA256: sum}
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
	lib, err := Install(t.Context(), InstallOptions{CacheDir: cache, From: write(t, filepath.Join(dir, "libonnxruntime.so"), native(t, "1.27.0"))})
	if err != nil {
		t.Fatal(err)
	}
	if len(inCache(cache)) != 1 {
		t.Fatal("the installation is not seen")
	}
	if err := os.Truncate(lib.Path, 100); err != nil {
		t.Fatal(err)
	}
	if c := inCache(cache); len(c) != 0 {
		t.Errorf("a truncated library is used: %v", c)
	}
	// A manifest may not lead out of its folder.
	write(t, filepath.Join(filepath.Dir(lib.Path), manifestName), fmt.Appendf(nil,
		`{"version":"1.27.0","platform":%q,"library":"../x","files":[{"name":"../x","bytes":1}]}`, platform()))
	write(t, filepath.Join(cache, "x"), []byte("x"))
	if c := inCache(cache); len(c) != 0 {
		t.Errorf("a library outside is used: %v", c)
	}
}

func TestPinsAreComplete(t *testing.T) {
	for _, p := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		list, err := pins(p, false)
		if err != nil {
			t.Error(err)
		}
		for _, x := range list {
			if len(x.SHA256) != 64 || x.Bytes < 1e6 || !strings.Contains(x.File, Pinned) {
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
	p := pin{Package: "onnxruntime", Client: "pip", Platform: "x", File: "w.whl", Bytes: 1}
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
	script("echo 'noise' >&2; echo 'ERROR: No matching distribution found for onnxruntime==1.27.0' >&2; exit 1")
	if _, err := fetchByClient(t.Context(), p, dir, Options{}); err == nil || err.Error() != "No matching distribution found for onnxruntime==1.27.0" {
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
