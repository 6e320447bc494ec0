package models

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"unicode/utf8"

	"ucan/models/internal/rewrite"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// mappedBytes is the size of weights from which an inspection leaves them in the file.
const mappedBytes = 64 << 20

// errChanged is the error for a file that was written to while it was looked at.
var errChanged = errors.New("the file changed while it was being inspected; try again")

// mapWeights leaves the large weights of a planned network in its file, which onnxruntime then
// maps: an inspection needs them once, and a file of half a gigabyte would otherwise lie in memory
// several times. It returns the session options that go with it.
//
// A run never does so: what it certifies is what was hashed, whatever happens to the file
// afterwards. An inspection asks [plan.unchanged] at its end.
func (p *plan) mapWeights(path string, o runtime.SessionOptions) runtime.SessionOptions {
	if p.file.info == nil || o.ExternalDir != "" || slices.ContainsFunc(p.file.m.Outputs(), untypedOutput) {
		return o
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil || !utf8.ValidString(resolved) {
		return o
	}
	places := p.file.places
	linear := rewrite.LinearWeights(p.file.m)
	total := 0
	maps.DeleteFunc(places, func(t *onnxpb.TensorProto, _ int64) bool { return !linear[t.GetName()] })
	for t := range places {
		total += len(t.GetRawData())
	}
	if total < mappedBytes {
		return o
	}
	name := filepath.Base(resolved)
	p.file.m, p.m, p.file.places = p.file.m.Referring(places, name), p.m.Referring(places, name), nil
	p.built = built{}
	debug.FreeOSMemory() // at once: the sessions that follow need the room
	o.ExternalDir = filepath.Dir(resolved)
	o.Config = maps.Clone(o.Config)
	if o.Config == nil {
		o.Config = make(map[string]string)
	}
	// A packed copy of the weights would be as large as they are.
	o.Config["session.disable_prepacking"] = "1"
	return o
}

func untypedOutput(v onnx.ValueInfo) bool { return v.Type == onnx.Undefined }

// unchanged makes sure that the file is still the one that was read.
func (p *plan) unchanged(path string) error {
	if p.file == nil || p.file.info == nil {
		return nil
	}
	now, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, errChanged)
	}
	was := p.file.info
	if !os.SameFile(was, now) || was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()) {
		return fmt.Errorf("%s: %w", path, errChanged)
	}
	return nil
}
