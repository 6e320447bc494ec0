// Package library finds, checks and installs the onnxruntime shared library.
//
// It needs no cgo and loads nothing: versions are read from the file itself
// (ELF version definitions, Mach-O and PE version fields), so a library that
// is too old is refused before any of its code runs.
package library

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Versions that the pinned binding works with. Its headers ask for API 29,
// which libraries from 1.29 on provide; onnxruntime keeps older APIs within a
// major version.
const (
	// Pinned is the version that Install fetches where a package of it exists.
	Pinned = "1.32.0"
	// Oldest is the first version with the API of the binding's headers.
	Oldest = "1.29.0"
	// Below is the first version that is not expected to keep that API.
	Below = "2.0.0"
	// API is the version of the C API in the binding's headers.
	API = 29
)

// Environment is the variable that names a library; the command reads it and
// passes its value as Options.Path.
const Environment = "UCAN_RUNTIME_LIBRARY"

// Source tells how a library was found.
type Source string

// Sources in the order in which Locate looks.
const (
	FromPath    Source = "path"    // given explicitly
	FromCache   Source = "cache"   // installed by ucan
	FromPython  Source = "python"  // a pip-installed onnxruntime
	FromSystem  Source = "system"  // a distribution's package
	FromLoader  Source = "loader"  // the dynamic loader's search path
	FromProcess Source = "process" // loaded in this process already
)

// Library is an onnxruntime shared library on disk.
type Library struct {
	Path    string `json:"path"`
	Version string `json:"version"` // "" when the file does not tell
	Source  Source `json:"source"`
	// CUDA: the CUDA provider's library lies beside it.
	CUDA bool `json:"cuda"`
}

// Rejected is a candidate that was passed over.
type Rejected struct {
	Path   string
	Reason string
}

// Options configure which library to use and where to look for it. Its zero value finds a library
// or installs the pinned one.
type Options struct {
	// Library is the path of the shared library, or of a folder that holds it; when it is set
	// nothing else is considered.
	Library string
	// CacheDir is the folder of installed libraries, "" for DefaultCacheDir.
	CacheDir string
	// GPU prefers a library with the CUDA provider beside it, where several are installed. It never
	// causes one to be installed.
	GPU bool
	// NoInstall makes Ensure report a missing library instead of installing it.
	NoInstall bool
	// Progress receives messages of an installation: one line each, without a line break; nil drops
	// them.
	Progress func(line string)
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// ErrNotFound: no usable library is on this machine.
var ErrNotFound = errors.New("no onnxruntime library found")

// DefaultCacheDir is the per-user folder of installed libraries.
func DefaultCacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w; set HOME or XDG_CACHE_HOME", err)
	}
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("find the user's cache folder: %q is not absolute; set HOME or XDG_CACHE_HOME to an absolute path", base)
	}
	return filepath.Join(base, "ucan", "onnxruntime"), nil
}

func (o Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}
	return DefaultCacheDir()
}

// Ensure locates a library and, where none is found and that is allowed,
// installs the pinned official build into the cache.
func Ensure(ctx context.Context, o Options) (Library, error) {
	lib, rejected, err := Locate(ctx, o)
	if err == nil || o.Library != "" || !errors.Is(err, ErrNotFound) {
		return lib, err
	}
	if o.NoInstall {
		return Library{}, fmt.Errorf("%w%s; run `ucan runtime install`, or set %s to a library of version %s to below %s",
			ErrNotFound, listRejected(rejected), Environment, Oldest, Below)
	}
	for _, r := range rejected {
		o.say("passed over %s: %s", r.Path, r.Reason)
	}
	return Install(ctx, InstallOptions{CacheDir: o.CacheDir, Progress: o.Progress})
}

// Locate looks for a usable library: the explicit path alone when there is
// one; otherwise the cache (the pinned version first, then the newest), Python
// packages, the system's library folders and the loader's search path. An
// installation that was changed since is an error that matches ErrChanged. It
// returns the candidates it passed over, and ErrNotFound when nothing is left.
func Locate(ctx context.Context, o Options) (Library, []Rejected, error) {
	if o.Library != "" {
		lib, err := explicit(o.Library)
		return lib, nil, err
	}
	var (
		rejected []Rejected
		fallback *Library // fits, but has no CUDA provider although one is wanted
	)
	for _, find := range []func() []candidate{
		func() []candidate {
			// Without a home there is no cache, but there may be a library.
			cache, err := o.cacheDir()
			if err != nil {
				return nil
			}
			return inCache(cache)
		},
		func() []candidate { return inPython(ctx) },
		func() []candidate { return inSystem(ctx) },
		inLoaderPath,
	} {
		if ctx.Err() != nil {
			return Library{}, rejected, context.Cause(ctx)
		}
		for _, c := range find() {
			if c.source == FromCache {
				if err := installedUnchanged(c.path); err != nil {
					return Library{}, rejected, err
				}
			}
			lib, err := examine(c.path)
			if err != nil {
				rejected = append(rejected, Rejected{c.path, err.Error()})
				continue
			}
			lib.Source = c.source
			if c.version != "" {
				lib.Version = c.version
			}
			if !o.GPU || lib.CUDA {
				return lib, rejected, nil
			}
			if fallback == nil {
				fallback = &lib
			}
		}
	}
	if fallback != nil {
		return *fallback, rejected, nil
	}
	return Library{}, rejected, fmt.Errorf("%w%s", ErrNotFound, listRejected(rejected))
}

// installedUnchanged checks a library of the cache, and the small files beside
// it that it loads by itself, against their digests.
func installedUnchanged(path string) error {
	dir := filepath.Dir(path)
	m, err := readManifest(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return unchanged(dir, m, func(f manifestEntry) bool { return f.Bytes <= largeFile })
}

// explicit examines the one library that the user named.
func explicit(path string) (Library, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Library{}, fmt.Errorf("onnxruntime library: %w; give the path of a libonnxruntime of version %s to below %s", err, Oldest, Below)
	}
	if info.IsDir() {
		names := librariesIn(path)
		if len(names) == 0 {
			return Library{}, fmt.Errorf("onnxruntime library: folder %q holds none; name the library file itself", path)
		}
		path = names[0]
	}
	lib, err := examine(path)
	if err != nil {
		return Library{}, fmt.Errorf("onnxruntime library %q: %w", path, err)
	}
	lib.Source = FromPath
	return lib, nil
}

// examine checks platform and version of a library file without loading it.
func examine(path string) (Library, error) {
	// Symbolic links (libonnxruntime.so.1) are resolved: the providers lie
	// beside the real file.
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Library{}, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return Library{}, err
	}
	version, err := ReadVersion(real)
	if err != nil {
		return Library{}, err
	}
	if version != "" {
		if err := CheckVersion(version); err != nil {
			return Library{}, err
		}
	}
	_, cudaErr := os.Stat(filepath.Join(filepath.Dir(real), FileName("onnxruntime_providers_cuda")))
	return Library{Path: real, Version: version, CUDA: cudaErr == nil}, nil
}

// listRejected is a parenthesis for error messages, empty for none.
func listRejected(list []Rejected) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, r := range list {
		parts[i] = r.Path + ": " + r.Reason
	}
	return " (passed over " + strings.Join(parts, "; ") + ")"
}
