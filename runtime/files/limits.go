package files

// Limits of small files that are read whole. docs/limits.md lists these and all others.
const (
	// MaxYAML is the most bytes of a YAML file: configuration, zoo.yaml, model.yaml, npg.yaml.
	MaxYAML = 8 << 20
	// MaxRecord is the most bytes of a record that this program wrote, such as run.json.
	MaxRecord = 16 << 20
	// MaxModel is the most bytes of an ONNX file; weights beyond it lie in external data.
	MaxModel = 1<<31 - 1
)
