package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cast"

	"ucan/runtime"
)

// sessionOptions say how sessions of a model are made. Those of every command are among them.
type sessionOptions struct {
	runtime   runtime.Config
	providers []runtime.Provider
	fallback  bool
	threads   int // 0: all that this process may use
	workers   int // 0: measured
	batch     int // 0: measured
	runLimit  time.Duration

	seconds float64 // of runLimit
}

func (s *sessionOptions) declare(o *options) {
	o.in(runtimeSection)
	o.float(&s.seconds, "runtime.run_limit", "run-limit", 0, "seconds of processor time that one run of the model may take, and its trial (0: fifty times what was measured, at least 60; 10 and more for a file's first trial)")
	o.count(&s.workers, "runtime.workers", "workers", 0, 0, maxThreads, "sessions that run side by side (0: measured)").as("w")
	o.count(&s.batch, "runtime.batch", "batch", 0, 0, math.MaxInt32, "samples a session classifies at once (0: measured)")
}

func (s *sessionOptions) check(f *faults) {
	global := &f.app.global
	s.providers, s.fallback, s.threads = global.providerList(f), global.fallback, global.threads
	s.runtime = f.app.runtimeConfig()
	s.runtime.GPU = runtime.WantsGPU(s.providers)
	if s.seconds >= 0 && s.seconds < 1e6 {
		s.runLimit = time.Duration(s.seconds * float64(time.Second))
	} else {
		f.add(&s.seconds, "%v is out of range: give 0 or more seconds", s.seconds)
	}
	if s.threads > 0 && s.workers > s.threads {
		f.add(&s.workers, "%d workers need at least as many threads, and --threads gives %d", s.workers, s.threads)
	}
}

// options are those of one session; thread counts come with the setting. One provider alone is
// strict; a list falls back in its order, and --fallback turns a single one into a list that ends
// with the CPU.
func (s sessionOptions) options() runtime.SessionOptions {
	providers := s.providers
	if s.fallback && len(providers) == 1 && providers[0].Name != "cpu" {
		providers = append(slices.Clone(providers), runtime.Provider{Name: "cpu"})
	}
	return runtime.SessionOptions{Providers: providers, IntraOp: 1, RunLimit: s.runLimit}
}

// runtimeConfig says which library runs.
func (a *app) runtimeConfig() runtime.Config {
	return runtime.Config{Library: a.global.library, Progress: a.installProgress()}
}

// providersOf reads a list of provider names, each alone or as {name: {option: value}}.
func providersOf(value any) ([]runtime.Provider, error) {
	var names []string
	options := map[string]map[string]string{}
	add := func(entry any) error {
		switch e := entry.(type) {
		case string:
			for _, name := range strings.Split(e, ",") {
				names = append(names, strings.TrimSpace(name))
			}
		case map[string]any:
			for name, settings := range e {
				names = append(names, name)
				values, err := cast.ToStringMapStringE(settings)
				if err != nil && settings != nil {
					return fmt.Errorf("the options of provider %q must be written as name: value", name)
				}
				options[name] = values
			}
		default:
			return fmt.Errorf("provider %v is not understood: write a name, or name: {option: value}", entry)
		}
		return nil
	}
	entries := []any{value}
	switch list := value.(type) {
	case []any:
		entries = list
	case []string:
		entries = nil
		for _, name := range list {
			entries = append(entries, name)
		}
	}
	for _, entry := range entries {
		if err := add(entry); err != nil {
			return nil, err
		}
	}
	return runtime.ParseProviders(names, options)
}
