package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// Optimization is how far onnxruntime rewrites a graph when it is loaded.
type Optimization int

// Optimisation levels. The zero value is onnxruntime's own default.
const (
	OptimizeAll Optimization = iota
	OptimizeExtended
	OptimizeBasic
	OptimizeNone
)

// SessionOptions configure how a graph is run. The threads a session may keep busy
// are a choice of the caller, never of the machine: they can change the last
// bits of a result.
type SessionOptions struct {
	// Providers in order of preference. Empty means the CPU alone. Unless the
	// list holds the CPU, no computing node may land there.
	Providers []Provider
	// Strict makes a provider that cannot be loaded an error even when others
	// follow it. With a single provider it always holds.
	Strict bool
	// IntraOp is the number of threads for one operator, ≥ 1; 1 means that
	// everything runs on the caller's thread. Nodes run one after another
	// (inter-op is always 1).
	IntraOp int
	// Concurrent is the number of sessions that will run at the same time,
	// 0 for one. When Concurrent × IntraOp exceeds CPUCount, idle threads do
	// not spin, as they would take the cores from working ones.
	Concurrent int
	// Optimization is the graph optimisation level.
	Optimization Optimization
	// Outputs names the outputs to compute, in the order in which Run takes
	// them; nil: all tensor outputs of the graph.
	Outputs []string
	// ExternalDir is the folder that the paths of external weights are
	// relative to; "" refuses nothing but finds only the working directory's.
	ExternalDir string
	// NoArena gives every buffer back to the system when it is free: slower,
	// with the least memory kept.
	NoArena bool
	// RunLimit is what one Run may take, 0 for DefaultRunLimit; a Run may always take
	// fifty times as long as the longest before it in the session. It counts processor
	// time of the process, up to six times as much in all.
	RunLimit time.Duration
	// Profile, when set, is a path prefix for onnxruntime's profile, written
	// when the session closes.
	Profile string
	// Config holds further onnxruntime session entries by their own names.
	Config map[string]string

	reading bool // the session reads back where nodes run: let them land anywhere
}

// Validate reports all faults at once; each wraps ErrOptions or
// ErrUnknownProvider.
func (o SessionOptions) Validate() error {
	var errs []error
	if o.IntraOp < 1 || o.IntraOp > 1024 {
		errs = append(errs, fmt.Errorf("%w: %d intra-op threads; give 1 to 1024", ErrOptions, o.IntraOp))
	}
	if o.RunLimit < 0 {
		errs = append(errs, fmt.Errorf("%w: a run limit of %v; give 0 or more", ErrOptions, o.RunLimit))
	}
	if o.Concurrent < 0 {
		errs = append(errs, fmt.Errorf("%w: %d concurrent sessions; give 0 or more", ErrOptions, o.Concurrent))
	}
	if o.Optimization < OptimizeAll || o.Optimization > OptimizeNone {
		errs = append(errs, fmt.Errorf("%w: optimisation level %d", ErrOptions, o.Optimization))
	}
	seen := make(map[string]bool)
	for _, p := range o.Providers {
		if err := p.Validate(); err != nil {
			errs = append(errs, err)
		}
		if seen[p.Name] {
			errs = append(errs, fmt.Errorf("%w: provider %q is listed twice", ErrOptions, p.Name))
		}
		seen[p.Name] = true
	}
	return errors.Join(errs...)
}

// strict says whether a provider that cannot be loaded is an error.
func (o SessionOptions) strict() bool { return o.Strict || len(o.Providers) == 1 }

// spin says whether waiting threads may spin.
func (o SessionOptions) spin() bool {
	return o.IntraOp*max(o.Concurrent, 1) <= min(CPUCount(), goruntime.NumCPU())
}

// ortLevel maps to the binding's constants.
func (l Optimization) ortLevel() ort.GraphOptimizationLevel {
	switch l {
	case OptimizeExtended:
		return ort.GraphOptimizationLevelEnableExtended
	case OptimizeBasic:
		return ort.GraphOptimizationLevelEnableBasic
	case OptimizeNone:
		return ort.GraphOptimizationLevelDisableAll
	case OptimizeAll:
	}
	return ort.GraphOptimizationLevelEnableAll
}

// ortOptions builds the binding's session options without providers.
func (o SessionOptions) ortOptions() (_ *ort.SessionOptions, err error) {
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	env.sessionOptions.Add(1)
	defer func() {
		if err != nil {
			err = errors.Join(err, destroyOptions(so))
		}
	}()
	flag := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	steps := []func() error{
		func() error { return so.SetIntraOpNumThreads(o.IntraOp) },
		func() error { return so.SetInterOpNumThreads(1) },
		func() error { return so.SetExecutionMode(ort.ExecutionModeSequential) },
		func() error { return so.SetGraphOptimizationLevel(o.Optimization.ortLevel()) },
		func() error { return so.SetLogSeverityLevel(ort.LoggingLevelFatal) },
		func() error { return so.AddSessionConfigEntry("session.intra_op.allow_spinning", flag(o.spin())) },
		func() error { return so.AddSessionConfigEntry("session.inter_op.allow_spinning", "0") },
		func() error { return so.SetCpuMemArena(!o.NoArena) },
		// A pattern is a block of its own beside what the arena took for the first run: a third
		// more memory, and no gain that could be measured.
		func() error { return so.SetMemPattern(false) },
	}
	if o.ExternalDir != "" {
		steps = append(steps, func() error {
			return so.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", o.ExternalDir)
		})
	}
	if o.Profile != "" {
		steps = append(steps, func() error { return so.EnableProfiling(o.Profile) })
	}
	for k, v := range o.Config {
		steps = append(steps, func() error { return so.AddSessionConfigEntry(k, v) })
	}
	for _, step := range steps {
		if err = step(); err != nil {
			return nil, fmt.Errorf("session options: %w", err)
		}
	}
	return so, nil
}

func destroyOptions(so *ort.SessionOptions) error {
	env.sessionOptions.Add(-1)
	return so.Destroy()
}
