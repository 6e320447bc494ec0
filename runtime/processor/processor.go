// Package processor names the kind of processor that this process runs on, as far as it decides the
// bits of floating-point results.
//
// onnxruntime picks its kernels by the processor's instruction sets. Kernels sum in different
// orders, with or without fused multiplication, so that the same model gives scores that differ in
// their last bits. Records of runs keep the kind, and a run that is resumed on another one says so.
package processor

import (
	"runtime"
	"strings"
	"sync"
)

// Processor is a kind of processor.
type Processor struct {
	// Instructions are the architecture and the instruction sets by which kernels are picked, for
	// example "x86-64 avx2" or "arm64 neon dotprod".
	Instructions string
	// Model is the name that the processor or the system gives, for example "AMD EPYC"; "" where it
	// gives none. It matters little: some kernels choose blocks by the size of a cache.
	Model string
}

// String is the form that records keep, for example "x86-64 avx2 (AMD EPYC)".
func (p Processor) String() string {
	if p.Model == "" {
		return p.Instructions
	}
	return p.Instructions + " (" + p.Model + ")"
}

// Current returns the kind of this machine's processor. GODEBUG=cpu.avx2=off and the like hide an
// instruction set from it, and from Go's own code, but not from onnxruntime.
func Current() Processor { return current() }

var current = sync.OnceValue(func() Processor {
	return Processor{Instructions: strings.Join(append([]string{architecture()}, instructions()...), " "), Model: clean(modelName())}
})

// architecture is the usual name of what Go calls amd64, and Go's name for all others.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86-64"
	}
	return runtime.GOARCH
}

// maxModel is the greatest length of a model's name in bytes.
const maxModel = 80

// clean keeps printable ASCII without parentheses and runs of spaces: records show the name in
// parentheses.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '(' || r == ')' {
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if len(name) > maxModel {
		name = strings.TrimSpace(name[:maxModel])
	}
	return name
}

// Changed reports whether two kinds, as records keep them, are known and differ. Records of earlier
// versions name none.
func Changed(before, now string) bool { return before != "" && now != "" && before != now }
