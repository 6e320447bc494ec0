package onnx_test

import (
	"errors"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
)

// Files of other kinds are named as what they are, with the way out.
func TestForeignFiles(t *testing.T) {
	rows := map[string]struct{ content, want string }{
		"empty":           {"", "empty"},
		"LFS pointer":     {"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n", "git lfs pull"},
		"web page":        {"\n<!DOCTYPE html><html><body>404</body></html>", "web page"},
		"HDF5":            {"\x89HDF\r\n\x1a\n\x00\x00\x00", "HDF5"},
		"PyTorch":         {"PK\x03\x04\x00\x00\x08\x08archive/data.pkl", "PyTorch"},
		"Keras":           {"PK\x03\x04\x14\x00model.weights.h5", "Keras"},
		"zip":             {"PK\x03\x04\x14\x00a.txt", "zip archive"},
		"pickle":          {"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00", "pickle"},
		"TensorFlow Lite": {"\x1c\x00\x00\x00TFL3\x14\x00", "TensorFlow Lite"},
		"safetensors":     {"\x40\x00\x00\x00\x00\x00\x00\x00{\"w\":{\"dtype\":\"F32\"}}", "safetensors"},
		"gzip":            {"\x1f\x8b\x08\x00", "compressed"},
		"NumPy":           {"\x93NUMPY\x01\x00v\x00", "NumPy"},
		"JSON":            {"{\"a\": 1}", "JSON"},
		"OpenVINO":        {"<?xml version=\"1.0\"?><net>", "OpenVINO"},
		"noise":           {"\xff\xff\xff\xff", "complete ONNX file"},
	}
	for name, row := range subtest.Rows(rows) {
		t.Run(name, func(t *testing.T) {
			_, err := onnx.Parse([]byte(row.content))
			if !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v; want it to name %q", err, row.want)
			}
		})
	}
}
