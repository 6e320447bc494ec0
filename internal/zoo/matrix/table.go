package matrix

// kind is the form of a value in zoo.yaml.
type kind int

const (
	kindText      kind = iota // a string
	kindTexts                 // a string or a list of them
	kindNumber                // a finite number
	kindNumbers               // a number or a list of them
	kindWhole                 // a whole number
	kindSeed                  // a whole number of 64 bits, without sign
	kindBool                  // true or false
	kindChoice                // one of field.values; where off is among them, YAML's false as well
	kindObject                // a mapping of field.fields
	kindObjects               // a list of mappings of field.fields
	kindNumberOf              // a mapping of names to numbers
	kindTextOf                // a mapping of names to strings, numbers or booleans
	kindProviders             // a provider or a list of them: names, or {name: {option: value}}
	kindBytes                 // a number of bytes, or a text such as 512MiB
	kindSpan                  // a number of seconds, or a text such as 10m
)

// field is one key of zoo.yaml. The parser, the JSON schema and the documentation are made from
// this table.
type field struct {
	name     string
	kind     kind
	doc      string
	required bool
	def      any      // what holds when the key is left out, for the schema; nil for nothing
	low      *float64 // the least number
	above    *float64 // a bound that numbers must exceed
	high     *float64 // the largest number
	values   []string // the choices
	fields   []field  // the keys of objects
}

func at(v float64) *float64 { return &v }

// zooFields is the form of zoo.yaml.
func zooFields() []field {
	return []field{
		{name: "models", kind: kindObjects, required: true, doc: "models to certify", fields: modelFields()},
		{name: "datasets", kind: kindObjects, required: true, doc: "data sources", fields: datasetFields()},
		{name: "noise", kind: kindObjects, required: true, doc: "noise settings; a list of scales or generators makes one for each", fields: noiseFields()},
		{name: "defaults", kind: kindObject, doc: "what holds for every model that does not say otherwise", fields: declarationFields()},
		{name: "statistics", kind: kindObject, doc: "samples and error probability", fields: statisticsFields()},
		{name: "runtime", kind: kindObject, doc: "sessions and limits of a worker", fields: runtimeFields()},
		{name: "seed", kind: kindSeed, doc: "seed of the noise (default: derived from the content of the run)"},
		{name: "shard_size", kind: kindWhole, def: 16, low: at(1), high: at(1e6), doc: "inputs of a unit of work"},
		{name: "skip", kind: kindObjects, doc: "combinations to leave out", fields: []field{
			{name: "model", kind: kindText, def: "*", doc: "pattern of model names"},
			{name: "dataset", kind: kindText, def: "*", doc: "pattern of dataset names"},
			{name: "noise", kind: kindText, def: "*", doc: "pattern of noise names"},
		}},
	}
}

func modelFields() []field {
	return append([]field{
		{name: "name", kind: kindText, doc: "name in tables and certificates (default: the file's without extension; a glob takes none)"},
		{name: "file", kind: kindText, required: true, doc: "ONNX file or glob, relative to this file"},
		{name: "statistics", kind: kindObject, doc: "statistics of this model", fields: statisticsFields()},
		{name: "runtime", kind: kindObject, doc: "sessions of this model", fields: runtimeFields()},
	}, declarationFields()...)
}

// declarationFields are those of a model.yaml, and win over one beside the model.
func declarationFields() []field {
	return []field{
		{name: "preprocessing", kind: kindObject, doc: "what the model's input is: it sees (x·scale − mean)/std, after the noise", fields: []field{
			{name: "name", kind: kindText, doc: "name of the input that carries the data"},
			{name: "layout", kind: kindChoice, values: []string{"nchw", "nhwc", "flat"}, doc: "order of the input's axes"},
			{name: "channels", kind: kindChoice, values: []string{"rgb", "bgr"}, doc: "order of channels that the model expects; data are rgb, mean and std in the model's order"},
			{name: "scale", kind: kindNumber, doc: "factor applied first; not 0"},
			{name: "mean", kind: kindNumbers, doc: "subtracted then: one value, or one a channel"},
			{name: "std", kind: kindNumbers, above: at(0), doc: "divides last: one value, or one a channel"},
			{name: "fix", kind: kindTextOf, doc: "constants for other inputs, by name"},
			{name: "resize", kind: kindWhole, low: at(0), high: at(1 << 16), doc: "short side of images in pixels, before any noise"},
			{name: "crop", kind: kindWhole, low: at(0), high: at(1 << 16), doc: "side of the central square cut out then"},
		}},
		{name: "output", kind: kindObject, doc: "how the model's output is read", fields: []field{
			{name: "name", kind: kindText, doc: "output that holds the scores or the label"},
			{name: "kind", kind: kindChoice, values: []string{"logits", "probabilities", "label"}, doc: "what the values are"},
			{name: "decision", kind: kindText, doc: "argmax, argmin, threshold[:T] or label"},
			{name: "classes", kind: kindWhole, low: at(2), high: at(1e6), doc: "number of classes where the graph does not tell"},
		}},
		{name: "labels", kind: kindTexts, doc: "names of the classes in order"},
		{name: "denoiser", kind: kindText, doc: "denoiser in front of the model, a bundle or an ONNX file, relative to this file"},
		{name: "force", kind: kindBool, def: false, doc: "certify although the clean check speaks against it (recorded)"},
	}
}

func datasetFields() []field {
	return []field{
		{name: "name", kind: kindText, doc: "name in tables (default: that of the source)"},
		{name: "source", kind: kindText, required: true, doc: "source as --data takes it; paths are relative to this file"},
		{name: "skip", kind: kindWhole, def: 0, low: at(0), high: at(1 << 40), doc: "drop the first inputs"},
		{name: "stride", kind: kindWhole, def: 1, low: at(1), high: at(1 << 40), doc: "then take every so many-th"},
		{name: "max", kind: kindWhole, def: 0, low: at(0), high: at(1 << 40), doc: "keep at most so many of those (0: all)"},
		{name: "resize", kind: kindWhole, def: 0, low: at(0), high: at(1 << 16), doc: "short side of images in pixels, before any noise"},
		{name: "crop", kind: kindWhole, def: 0, low: at(0), high: at(1 << 16), doc: "side of the central square cut out then"},
		{name: "label_map", kind: kindText, doc: "file that maps the data's labels to classes, a pair a line"},
	}
}

func noiseFields() []field {
	return []field{
		{name: "name", kind: kindText, doc: "name in tables (default: made of the setting); with several scales or generators, they are appended"},
		{name: "family", kind: kindText, def: "gaussian", doc: "noise family, see \"ucan radius --list\""},
		{name: "params", kind: kindNumberOf, doc: "parameters of the family"},
		{name: "norm", kind: kindChoice, values: []string{"l1", "l2", "linf"}, doc: "norm of the reported radius (default: the family's own)"},
		{name: "sigma", kind: kindNumbers, above: at(0), doc: "standard deviations a coordinate, on the data's scale (default 1 with npg)"},
		{name: "lambda", kind: kindNumbers, above: at(0), doc: "raw scales of the family, instead of sigma"},
		{name: "npg", kind: kindTexts, doc: "noise parameter generators as --npg takes them; paths are relative to this file"},
		{name: "arithmetic", kind: kindChoice, def: "float32", values: []string{"float32", "lattice"}, doc: "float32, which assumes real arithmetic; or lattice, exact for 8-bit images"},
	}
}

func statisticsFields() []field {
	return []field{
		{name: "n0", kind: kindWhole, def: 100, low: at(0), high: at(1 << 40), doc: "samples that choose the class"},
		{name: "n", kind: kindWhole, def: 100000, low: at(1), high: at(1 << 40), doc: "samples that estimate its probability; the cap under an adaptive profile, whose own is the default then"},
		{name: "alpha", kind: kindNumber, def: 0.001, above: at(0), high: at(0.5), doc: "probability that a certificate is wrong"},
		{name: "adaptive", kind: kindChoice, def: "off", values: []string{"off", "strict", "default", "fast"}, doc: "stop sampling early"},
		{name: "grid", kind: kindNumbers, low: at(0), doc: "radii that an adaptive run tests (default: the family's)"},
		{name: "bound", kind: kindChoice, def: "one", values: []string{"one", "two"}, doc: "one: p_B ≤ 1 − p_A; two: bound every other class as well"},
		{name: "joint", kind: kindBool, def: false, doc: "let alpha hold for all certificates of a model, dataset and noise together"},
		{name: "label_aware", kind: kindBool, def: false, doc: "test the label instead of selecting a class"},
	}
}

func runtimeFields() []field {
	return []field{
		{name: "providers", kind: kindProviders, def: []any{"cpu"}, doc: "execution providers, in order of preference; one alone is strict"},
		{name: "threads", kind: kindWhole, def: 1, low: at(1), high: at(1024), doc: "threads of a session"},
		{name: "batch", kind: kindWhole, def: 0, low: at(0), high: at(1 << 20), doc: "physical batch (0: the model's own, or by rule from the size of its input)"},
		{name: "memory", kind: kindBytes, def: 0, doc: "most bytes of a worker process, such as 4GiB (0: no limit)"},
		{name: "timeout", kind: kindSpan, def: 0, doc: "wall-clock limit of a shard and of a trial of its model, such as 30m (0: fifty times what the measured speed gives, and at least 10m)"},
	}
}
