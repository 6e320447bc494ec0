package main

import (
	"log/slog"

	"ucan/runtime"
)

// globalOptions are the options of every command.
type globalOptions struct {
	config   string
	format   string
	quiet    bool
	logLevel string
	level    slog.Level // of logLevel

	providers any // names, or nested names with options, see [providersOf]
	fallback  bool
	threads   int // 0: all that this process may use
	library   string
}

func (g *globalOptions) declare(o *options) {
	o.text(&g.config, "config", "config", "", "configuration file (default ./ucan.yaml, which may not load code or name services, then ucan/ucan.yaml in the user's configuration folder)")
	o.text(&g.format, "format", "format", "table", "output on stdout: table or json").oneOf("table", "json")
	o.on(&g.quiet, "quiet", "quiet", "print results and warnings only").as("q")
	o.text(&g.logLevel, "log_level", "log-level", "warn", "log level on stderr: debug, info, warn or error").offers(logLevels)
	o.in(runtimeSection)
	o.tree(&g.providers, "runtime.providers", "provider", []string{"cpu"}, "execution providers, in order of preference (cpu, cuda, …)").offers(runtime.ProviderNames)
	o.on(&g.fallback, "runtime.fallback", "fallback", "fall back to the CPU where the provider cannot be used, and say so (a list of providers falls back in its order)")
	o.count(&g.threads, "runtime.threads", "threads", 0, 0, maxThreads, "CPU threads in all: workers × threads of a session (0: the processors this process may use)")
	o.text(&g.library, "runtime.library", "library", "", "onnxruntime's shared library (default: found or installed)").code()
}

// maxThreads bounds the threads of a process, and its sessions.
const maxThreads = 4096

func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

func (g *globalOptions) check(f *faults) {
	if err := g.level.UnmarshalText([]byte(g.logLevel)); err != nil {
		f.add(&g.logLevel, "%w", unknown("level", g.logLevel, logLevels()))
	}
}

// providerList is the execution providers in order of preference.
func (g *globalOptions) providerList(f *faults) []runtime.Provider {
	providers, err := providersOf(g.providers)
	if err != nil {
		f.add(&g.providers, "%w", err)
	}
	return providers
}
