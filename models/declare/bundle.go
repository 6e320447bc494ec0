package declare

import (
	"path/filepath"
	"strings"

	"ucan/runtime/onnx/sidefile"
)

// The files of the bundles that training writes, as far as they make a bundle a model.
const (
	// ModelFile is the classifier in the bundle of a classifier.
	ModelFile   = "model.onnx"
	trainRecord = "train.yaml"
	jointFile   = "base.onnx" // the classifier trained along with a generator
	jointRecord = "npg.yaml"
	// DenoiserFile and DenoiserRecord are the bundle of a denoiser.
	DenoiserFile   = "denoiser.onnx"
	DenoiserRecord = "denoiser.yaml"
)

// DenoiserPath returns the ONNX file that the path of a denoiser stands for: in a folder its
// denoiser.onnx, otherwise what [ModelPath] says. A link that leads out of the folder is no file of
// the folder's.
func DenoiserPath(path string) string {
	if inside := filepath.Join(path, DenoiserFile); sidefile.Check(inside) == nil {
		return inside
	}
	return ModelPath(path)
}

// DenoiserName returns what a denoiser is called: the name of its bundle's folder, or its file's.
func DenoiserName(path string) string {
	path = DenoiserPath(path)
	if filepath.Base(path) == DenoiserFile && sidefile.Check(filepath.Join(filepath.Dir(path), DenoiserRecord)) == nil {
		if dir, err := filepath.Abs(filepath.Dir(path)); err == nil {
			return filepath.Base(dir)
		}
	}
	return filepath.Base(path)
}

// ModelPath returns the ONNX file that a path stands for: in a folder its model.onnx, in the bundle
// of a generator the classifier that was trained along with it. Any other path is returned as it
// is. A link that leads out of the folder is no file of the folder's.
func ModelPath(path string) string {
	inside := func(name string) bool { return sidefile.Check(filepath.Join(path, name)) == nil }
	switch {
	case inside(ModelFile):
		return filepath.Join(path, ModelFile)
	case inside(jointFile) && inside(jointRecord):
		return filepath.Join(path, jointFile)
	}
	return path
}

// ModelName returns what a model is called: the name of its bundle's folder or, for a file that
// lies in no bundle, its own name without extension.
func ModelName(path string) string {
	path = ModelPath(path)
	beside := func(name string) bool { return sidefile.Check(filepath.Join(filepath.Dir(path), name)) == nil }
	name := filepath.Base(path)
	if name == ModelFile && beside(trainRecord) || name == jointFile && beside(jointRecord) {
		if dir, err := filepath.Abs(filepath.Dir(path)); err == nil {
			return filepath.Base(dir)
		}
	}
	return strings.TrimSuffix(name, filepath.Ext(name))
}
