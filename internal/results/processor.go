package results

import (
	"maps"
	"slices"

	"ucan/runtime/processor"
)

// Keys of [Run.Environment] that name kinds of processors (processor.Processor).
const (
	// CPUKey is the kind that the run was begun on.
	CPUKey = "cpu"
	// CPUsKey lists all kinds that made rows, where they are several, in the order in which they
	// began to.
	CPUsKey = "cpus"
)

// Processors lists the kinds of processors that a run was made on, the first one first. It is empty
// for records of earlier versions.
func (r Run) Processors() []string {
	var kinds []string
	add := func(v any) {
		if kind, ok := v.(string); ok && kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	add(r.Environment[CPUKey])
	switch more := r.Environment[CPUsKey].(type) {
	case []any: // as encoding/json reads it
		for _, v := range more {
			add(v)
		}
	case []string:
		for _, v := range more {
			add(v)
		}
	}
	return kinds
}

// withProcessors returns the record with more kinds, and whether any of them is new to it.
func (r Run) withProcessors(more []string) (_ Run, added bool) {
	kinds := r.Processors()
	for _, kind := range more {
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds, added = append(kinds, kind), true
		}
	}
	if !added {
		return r, false
	}
	environment := maps.Clone(r.Environment)
	if environment == nil {
		environment = map[string]any{}
	}
	environment[CPUsKey] = kinds
	r.Environment = environment
	return r, true
}

// goOn returns the stored record r of a run that now goes on, the kinds of processors in it that
// differ from now's, and whether now's had to be added.
func (r Run) goOn(now Run) (_ Run, others []string, added bool) {
	here, _ := now.Environment[CPUKey].(string)
	for _, kind := range r.Processors() {
		if processor.Changed(kind, here) {
			others = append(others, kind)
		}
	}
	r, added = r.withProcessors([]string{here})
	return r, others, added
}

// OtherProcessors lists the kinds of processors, other than this run's, that made some of the rows
// which were there when it was opened. It is empty when nothing was left to do.
func (w *Writer) OtherProcessors() []string { return w.others }
