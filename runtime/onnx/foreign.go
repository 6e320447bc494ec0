package onnx

import (
	"bytes"
	"fmt"
)

// explained adds to an error what the bytes are instead of ONNX, where that can be told.
func explained(b []byte, err error) error {
	if kind := foreign(b); kind != "" {
		return fmt.Errorf("%w: %s", ErrMalformed, kind)
	}
	return fmt.Errorf("%w; give a complete ONNX file", err)
}

// foreign tells what bytes are that are not ONNX, and what to do; "" where it is not known.
func foreign(b []byte) string {
	head := b[:min(len(b), 4096)]
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff"))))
	starts := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	begins := func(prefix string) bool { return bytes.HasPrefix(text, []byte(prefix)) }
	switch {
	case len(b) == 0:
		return "the file is empty; download or export it again"
	case begins("version https://git-lfs."):
		return "this is a Git LFS pointer, which stands for a file that was not fetched; run \"git lfs pull\" in its repository"
	case begins("<!doctype html"), begins("<html"):
		return "this is a web page; download the file itself (on a model hub: its \"raw\" or \"resolve\" link)"
	case begins("<?xml"), begins("<net"):
		return "this is XML, such as OpenVINO's; " + exported("the original model")
	case starts("\x89HDF\r\n\x1a\n"):
		return "this is an HDF5 file, such as Keras's .h5; " + exported("the model")
	case starts("PK\x03\x04"):
		return archive(b)
	case starts("\x80") && len(b) > 1 && b[1] >= 2 && b[1] <= 5:
		return "this is a Python pickle, such as PyTorch's .pt or scikit-learn's .pkl; " + exported("the model")
	case len(b) > 8 && string(b[4:8]) == "TFL3":
		return "this is a TensorFlow Lite model; " + exported("it, with tf2onnx --tflite,")
	case starts("GGUF"):
		return "this is a GGUF file of a language model; ucan certifies classifiers of real-valued inputs"
	case len(b) > 9 && b[8] == '{' && bytes.Contains(head, []byte(`"dtype"`)):
		return "this is a safetensors file, which holds weights without a network; " + exported("the model that loads it")
	case starts("\x1f\x8b"), starts("BZh"), starts("\xfd7zXZ\x00"), starts("\x28\xb5\x2f\xfd"):
		return "this is a compressed file; unpack it first"
	case starts("\x93NUMPY"):
		return "this is a NumPy array; data are given to --data, as npy:FILE"
	case begins("{"), begins("["):
		return "this is JSON; give the ONNX file"
	}
	if bytes.Contains(head, []byte("serve")) && bytes.Contains(b, []byte("saver")) || bytes.Contains(head, []byte("Placeholder")) {
		return "this looks like a TensorFlow graph (.pb); " + exported("it, with tf2onnx,")
	}
	return ""
}

// archive tells what a zip archive is by the names of its members.
func archive(b []byte) string {
	has := func(name string) bool { return bytes.Contains(b, []byte(name)) }
	switch {
	case has("/data.pkl"):
		return "this is a PyTorch file (.pt or .pth); " + exported("the model")
	case has("model.weights.h5"):
		return "this is a Keras file (.keras); " + exported("the model")
	}
	return "this is a zip archive; unpack it first"
}

func exported(what string) string {
	return fmt.Sprintf("export %s to ONNX first (docs/export.md says how)", what)
}
