package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// InstallOptions configure what Install puts into the cache.
type InstallOptions struct {
	// CacheDir is the folder of installed libraries, "" for DefaultCacheDir.
	CacheDir string
	// From is a wheel, .tgz, .tar.gz or .zip archive, or a library on disk;
	// "" fetches the pinned package by pip or npm.
	From string
	// GPU fetches the build with the CUDA provider (256 MB packed).
	GPU bool
	// Force installs anew what is already there.
	Force bool
	// Progress receives one line per step; nil drops them.
	Progress func(line string)

	fetch func(ctx context.Context, p pin, dir string, o Options) (string, error) // tests replace the package client
}

// download fetches a package into dir and returns its file.
func (in InstallOptions) download(ctx context.Context, p pin, dir string, o Options) (string, error) {
	if in.fetch != nil {
		return in.fetch(ctx, p, dir, o)
	}
	return fetchByClient(ctx, p, dir, o)
}

// Install puts a library into the per-user cache and returns it. Processes
// that install at the same time take turns behind a file lock, and all but the
// first find the work done. Nothing half-done is ever visible: the files are
// verified and synced under a temporary name, then renamed.
func Install(ctx context.Context, in InstallOptions) (lib Library, err error) {
	if in.From != "" {
		return installOnce(ctx, in, nil)
	}
	list, err := pins(platform(), in.GPU)
	if err != nil {
		return Library{}, err
	}
	return installOnce(ctx, in, list)
}

// installOnce installs in.From, or the first package of the list that can be
// had, under the cache's lock.
func installOnce(ctx context.Context, in InstallOptions, list []pin) (lib Library, err error) {
	o := Options{CacheDir: in.CacheDir, Progress: in.Progress}
	cache, unlock, err := openCache(ctx, o)
	if err != nil {
		return Library{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if in.From != "" {
		return installFile(o, cache, in.From, filepath.Base(in.From))
	}
	if !in.Force {
		// Another process may have installed it while this one waited.
		for _, p := range list {
			if lib, ok := installed(cache, p.Version, in.GPU); ok {
				o.say("onnxruntime %s is installed in %s", lib.Version, filepath.Dir(lib.Path))
				return lib, nil
			}
		}
	}
	return installPinned(ctx, in, o, cache, list)
}

// openCache makes the cache folder, takes its lock, and removes what killed installations left.
func openCache(ctx context.Context, o Options) (cache string, unlock func() error, err error) {
	if cache, err = o.cacheDir(); err != nil {
		return "", nil, err
	}
	if err = os.MkdirAll(cache, 0o755); err != nil {
		return "", nil, fmt.Errorf("install onnxruntime: %w; choose another cache folder by XDG_CACHE_HOME", err)
	}
	if why := alterable(cache); why != "" {
		return "", nil, fmt.Errorf("install onnxruntime: the folder %q %s; make it yours alone, or choose another cache folder by XDG_CACHE_HOME", cache, why)
	}
	if unlock, err = lock(ctx, cache, o); err == nil {
		sweep(cache)
	}
	return cache, unlock, err
}

// sweep removes what killed installations left. Whoever holds the lock is the
// only one at work, so all of it is stale; on Windows a replaced library that
// a process still has loaded stays until later.
func sweep(cache string) {
	for _, pattern := range []string{".download-*", ".install-*"} {
		// The pattern is constant; a cache folder with brackets in its name
		// keeps its left-overs, which is no fault.
		left, _ := filepath.Glob(filepath.Join(cache, pattern))
		for _, dir := range left {
			_ = os.RemoveAll(dir)
		}
	}
}

// installed returns the library of the given version from the cache, where it
// is complete and unchanged.
func installed(cache, version string, gpu bool) (Library, bool) {
	dir := filepath.Join(cache, folderName(version, gpu))
	m, err := unchangedManifest(dir)
	if err != nil {
		return Library{}, false
	}
	lib, err := examine(filepath.Join(dir, m.Library))
	lib.Source, lib.Version = FromCache, m.Version
	return lib, err == nil
}

// installPinned tries the pinned packages in order until one client delivers.
func installPinned(ctx context.Context, in InstallOptions, o Options, cache string, list []pin) (Library, error) {
	tmp, err := os.MkdirTemp(cache, ".download-")
	if err != nil {
		return Library{}, fmt.Errorf("install onnxruntime: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // left-overs are hidden and harmless

	var errs []error
	for _, p := range list {
		file, err := in.download(ctx, p, tmp, o)
		if err == nil {
			err = verify(file, p)
		}
		if err == nil {
			return installFile(o, cache, file, fmt.Sprintf("%s %s by %s", p.Package, p.Version, p.Client))
		}
		if ctx.Err() != nil {
			return Library{}, fmt.Errorf("install onnxruntime: %w", context.Cause(ctx))
		}
		o.say("%s: %s", p.Client, err)
		errs = append(errs, fmt.Errorf("%s: %w", p.Client, err))
	}
	return Library{}, fmt.Errorf("install onnxruntime %s: %s%s; fetch %s on a connected machine and run `ucan runtime install --from FILE`",
		list[0].Version, noNetwork(errs), strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; "), list[0].File)
}

// noNetwork says that the packages' index is out of reach, where the clients' words show it; ""
// otherwise.
func noNetwork(errs []error) string {
	text := strings.ToLower(errors.Join(errs...).Error())
	for _, sign := range []string{
		"proxy", "no matching distribution", "could not find a version", "connection", "network", "resolve", "enotfound", "eai_again",
		"econnrefused", "etimedout", "timed out", "unreachable",
	} {
		switch {
		case !strings.Contains(text, sign):
		case proxySet():
			return "the index of packages is out of reach: no network, or the proxy of the environment (HTTPS_PROXY) does not answer: "
		default:
			return "the index of packages is out of reach, most likely for lack of a network: "
		}
	}
	return ""
}

// proxySet reports whether the environment names a proxy.
func proxySet() bool {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// verify compares a file with its pin.
func verify(file string, p pin) error {
	sum, err := hashFile(file)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s instead of the pinned %s; it is not used", p.File, sum, p.SHA256)
	}
	return nil
}

// installFile unpacks a package or library into the cache.
func installFile(o Options, cache, file, origin string) (_ Library, err error) {
	sum, err := hashFile(file)
	if err != nil {
		return Library{}, fmt.Errorf("install onnxruntime: %w", err)
	}
	if p, ok := pinnedFile(filepath.Base(file)); ok && p.SHA256 != sum {
		return Library{}, fmt.Errorf("install onnxruntime: %w; fetch it again", verify(file, p))
	}
	tmp, err := atomicfile.MakeFolder(cache, ".install-", 0o755) // never for all to write, whatever the umask
	if err != nil {
		return Library{}, fmt.Errorf("install onnxruntime: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already after the rename

	main, err := extract(file, tmp)
	if err != nil {
		return Library{}, fmt.Errorf("install onnxruntime from %q: %w", file, err)
	}
	lib, err := examine(filepath.Join(tmp, main))
	if err != nil {
		return Library{}, fmt.Errorf("install onnxruntime from %q: %w", file, err)
	}
	// The package's name knows the patch level where the library does not.
	if v := versionPattern().FindString(filepath.Base(file)); v != "" && (lib.Version == "" || sameMinor(v, lib.Version)) {
		if err := CheckVersion(v); err != nil {
			return Library{}, fmt.Errorf("install onnxruntime from %q: %w", file, err)
		}
		lib.Version = v
	}
	if lib.Version == "" {
		return Library{}, fmt.Errorf("install onnxruntime from %q: the library does not tell its version; set %s to it instead", file, Environment)
	}
	m := manifest{Version: lib.Version, Platform: platform(), CUDA: lib.CUDA, Origin: origin, SHA256: sum, Library: main}
	if err := seal(tmp, m); err != nil {
		return Library{}, fmt.Errorf("install onnxruntime: %w", err)
	}
	final := filepath.Join(cache, folderName(lib.Version, lib.CUDA))
	if err := replace(tmp, final); err != nil {
		return Library{}, fmt.Errorf("install onnxruntime: %w", err)
	}
	lib, ok := installed(cache, lib.Version, lib.CUDA)
	if !ok {
		return Library{}, fmt.Errorf("install onnxruntime: %q is damaged after installing; is the disk full?", final)
	}
	o.say("installed onnxruntime %s (%s) in %s", lib.Version, origin, final)
	return lib, nil
}

// seal hashes and syncs the files of a folder and writes its manifest last.
func seal(dir string, m manifest) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		sum, herr := hashFile(path)
		if herr != nil {
			return herr
		}
		info, ierr := e.Info()
		if ierr != nil {
			return ierr
		}
		m.Files = append(m.Files, manifestEntry{e.Name(), info.Size(), sum})
		if err = syncPath(path); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestName)
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := syncPath(path); err != nil {
		return err
	}
	return syncPath(dir)
}

// replace renames tmp to final; what was there before is moved away first, so
// that processes that have it loaded keep their file.
func replace(tmp, final string) error {
	old := tmp + "-old"
	if err := os.Rename(final, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, final); err != nil {
		return err
	}
	_ = os.RemoveAll(old) // on Windows a loaded library stays until its process ends
	return syncPath(filepath.Dir(final))
}

// syncPath flushes a file or folder to the disk. Not every system can sync a
// folder; there, the rename is as durable as the system makes it.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		if serr := f.Sync(); serr != nil && !info.IsDir() && !errors.Is(serr, os.ErrPermission) {
			err = serr
		}
	}
	return errors.Join(err, f.Close())
}

// lock takes the cache's installation lock, waiting for other processes.
func lock(ctx context.Context, cache string, o Options) (unlock func() error, err error) {
	l := flock.New(filepath.Join(cache, ".lock"))
	ok, err := l.TryLock()
	if err == nil && !ok {
		o.say("waiting for another process that is installing onnxruntime")
		ok, err = l.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("install onnxruntime: lock %q: %w", l.Path(), err)
	}
	return l.Close, nil
}

// hashFile returns the SHA-256 of a file in hexadecimal.
func hashFile(path string) (sum string, err error) {
	f, err := files.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
