package runtime

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"ucan/runtime/library"
)

// Config configures which onnxruntime library to use and where to look for it.
type Config = library.Options

// Runtime is the process's onnxruntime. Several may be open at once; they
// share one environment and must name the same library.
type Runtime struct {
	lib    library.Library
	closed atomic.Bool
	// cacheDir is Config.CacheDir, where plugins are looked for too.
	cacheDir string

	placements sync.Map // by probeKey: where the nodes of a graph run
	plugins    sync.Map // by provider: the path of its plugin, found and checked
}

// Open finds the library (installing the pinned build into the per-user cache
// when there is none and Config allows it), checks its version before loading
// it, and initialises onnxruntime. A process can load one library only: a
// later Open that names another fails with ErrLibraryLoaded, and one that
// leaves the choice open gets the loaded one.
func Open(ctx context.Context, cfg Config) (*Runtime, error) {
	if path, version := env.loaded(); path != "" && cfg.Library == "" {
		return &Runtime{lib: library.Library{Path: path, Version: version, Source: library.FromProcess}, cacheDir: cfg.CacheDir}, nil
	}
	lib, err := library.Ensure(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open onnxruntime: %w", err)
	}
	if err := env.load(lib.Path); err != nil {
		return nil, fmt.Errorf("open onnxruntime: %w", err)
	}
	_, lib.Version = env.loaded()
	return &Runtime{lib: lib, cacheDir: cfg.CacheDir}, nil
}

// Library tells which library runs.
func (rt *Runtime) Library() library.Library { return rt.lib }

// Version is the version of the loaded library, such as "1.32.0".
func (rt *Runtime) Version() string { return rt.lib.Version }

// Close ends the use of the runtime; its sessions and tensors stay valid
// until they are closed themselves. Further calls do nothing.
func (rt *Runtime) Close() error {
	if rt != nil {
		rt.closed.Store(true)
	}
	return nil
}

// check refuses a runtime that was never opened, or was closed.
func (rt *Runtime) check() error {
	if rt == nil || rt.lib.Path == "" {
		return fmt.Errorf("%w: the runtime was never opened; call runtime.Open", ErrClosed)
	}
	if rt.closed.Load() {
		return fmt.Errorf("%w: runtime", ErrClosed)
	}
	return nil
}
