package models

import (
	"time"

	"ucan/models/declare"
	"ucan/runtime"
)

// What is declared of a model; see package declare.
type (
	Declaration       = declare.Declaration
	InputDeclaration  = declare.Input
	OutputDeclaration = declare.Output
)

// Options configure how a file is opened. The zero value infers everything from the
// file and its model.yaml.
type Options struct {
	// Name is the model's name in certificates; empty means the file's name
	// without folder and extension.
	Name string
	// Declared wins over model.yaml field by field.
	Declared Declaration
	// YAML is the file of the model's declaration; empty means NAME.model.yaml or
	// model.yaml beside the ONNX file, if there is one.
	YAML string
	// NoYAML looks for no such file: what is declared is all.
	NoYAML bool
	// SourceShape is the shape of one input of the data source (images: C, H, W).
	// nil means that it is inferred from the model.
	SourceShape []int
	// Session says on which provider the graph runs; thread counts are set by
	// [Model.Classifier]. A RunLimit of 0 means fifty times what was measured when the
	// model was opened, and at least a minute (while it is opened, 15 s).
	Session runtime.SessionOptions
	// CacheDir is the folder of measured settings and of the models that are known
	// to load; empty means that neither is kept.
	CacheDir string
	// LoadTimeout bounds the trial of a file that is not yet known to load, in a process
	// of its own; 0 means Session.RunLimit, or what runtime.ProbeOptions says. There is a
	// trial only in a program that begins with runtime.RunProbeChild.
	LoadTimeout time.Duration
	// SkipLoadTrial loads the file in this process at once. Only for files that are
	// trusted: onnxruntime can abort the process on a damaged one.
	SkipLoadTrial bool

	samples  bool // keep the answers to the made-up rows of ExamineSamples
	accepted bool // onnxruntime has taken the file as it stands
}

// declaration returns what is declared of the model at path, and the path of the model.yaml or "".
func (o Options) declaration(path string) (Declaration, string, error) {
	if o.YAML != "" || o.NoYAML {
		return declare.ResolveFile(o.YAML, o.Declared)
	}
	return declare.Resolve(path, o.Declared)
}
