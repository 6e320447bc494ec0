// Package onnxpb holds the Go types generated from the ONNX schema
// (onnx-ml.proto of the ONNX project, Apache-2.0). Unknown fields are kept
// when a message is read and written again. Use package onnx, one level up,
// to read, build and edit models.
package onnxpb

//go:generate ./generate.sh
