package runtime

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"
)

// environment is the process's single onnxruntime environment. The binding
// keeps its state in package variables of its own, so this guard is the one
// mutable global of the project: it makes initialisation happen once, refuses
// a second, different library, and counts live objects.
//
// The environment is never torn down: unloading a shared library whose thread
// pools, thread-local destructors and GPU contexts may still be at work is not
// safe, and costs nothing to avoid.
type environment struct {
	mu      sync.Mutex
	path    string // absolute path of the loaded library, "" before the first Open
	version string
	plugins map[string]registered // by the library's path

	sessions       atomic.Int64
	tensors        atomic.Int64
	runOptions     atomic.Int64
	sessionOptions atomic.Int64

	probing atomic.Bool // main called RunProbeChild: this program can be its own probing child
}

var env environment

// load initialises onnxruntime with the library at path, or does nothing when
// that library is loaded already.
func (e *environment) load(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("resolve %q: %w", path, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.path != "" {
		if e.path != abs {
			return fmt.Errorf("%w: %q is loaded, %q was asked for; start a new process to use another library",
				ErrLibraryLoaded, e.path, abs)
		}
		return nil
	}
	if ort.IsInitialized() {
		return errors.New("onnxruntime was already initialised by other code in this process; open it through ucan/runtime only")
	}
	if err := disableTelemetry(); err != nil {
		return err
	}
	ort.SetSharedLibraryPath(abs)
	// Errors come back as values; onnxruntime's own copies of them on stderr
	// would break the one-line rule of the command.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return loadError(abs, err)
	}
	// Windows has another kind of telemetry, which only a call ends; failing to
	// switch off what is not there is no error.
	_ = ort.DisableTelemetry()
	e.path, e.version = abs, ort.GetVersion()
	return nil
}

// loadError says why the library at path does not load. The loader's words for a file system that
// programs may not be run from tell few people what to do.
func loadError(path string, err error) error {
	if strings.Contains(err.Error(), "failed to map segment") {
		return fmt.Errorf("load onnxruntime library %q: %w: its folder is likely on a file system mounted noexec; "+
			"set XDG_CACHE_HOME to a folder elsewhere, or name a library elsewhere by --library", path, err)
	}
	return fmt.Errorf("load onnxruntime library %q: %w", path, err)
}

// loaded returns the path and version of the library in this process, empty
// before the first Open.
func (e *environment) loaded() (path, version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.path, e.version
}

// LiveObjects counts the onnxruntime objects of this process that are open.
// The environment itself, which lives as long as the process, is not among
// them.
type LiveObjects struct {
	Sessions       int64
	Tensors        int64
	RunOptions     int64
	SessionOptions int64
}

// Total is the number of live objects of all kinds.
func (l LiveObjects) Total() int64 {
	return l.Sessions + l.Tensors + l.RunOptions + l.SessionOptions
}

// Live counts the open onnxruntime objects of the process. After every
// Session and Tensor is closed its Total is 0.
func Live() LiveObjects {
	return LiveObjects{
		Sessions:       env.sessions.Load(),
		Tensors:        env.tensors.Load(),
		RunOptions:     env.runOptions.Load(),
		SessionOptions: env.sessionOptions.Load(),
	}
}
