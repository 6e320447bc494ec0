package main

import (
	"strings"

	"ucan/internal/results"
	"ucan/runtime/processor"
)

// cpuKey names the processor's kind in the environment of records.
const cpuKey = results.CPUKey

// thisProcessor is a variable so that tests can act on another machine.
var thisProcessor = func() string { return processor.Current().String() }

// warnProcessors says that a run goes on on another kind of processor than before, and what that
// does not harm.
func (a *app) warnProcessors(outputs, others []string, unharmed string) {
	if len(others) == 0 || len(outputs) == 0 {
		return
	}
	a.warn("resume %q: it was made on %s and goes on on %s, whose kernels may count a few votes otherwise; %s",
		outputs[0], strings.Join(others, " and "), a.processor, unharmed)
}
