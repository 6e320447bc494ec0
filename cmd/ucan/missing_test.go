package main

import (
	"path/filepath"
	"testing"

	"ucan/fixtures/subtest"
)

// A missing file has one exit code, whatever it was to be.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	absent := filepath.Join(dir, "absent")
	certify := func(more ...string) []string { return append(certifyArgs(model, "--quiet"), more...) }
	rows := map[string][]string{
		"model":           {"certify", "--model", absent + ".onnx", "--data", "digits?n=100", "--sigma", "0.25"},
		"arrays":          certify("--data", "npy:"+absent+".npy"),
		"class folders":   certify("--data", "folder:"+absent),
		"folder of MNIST": certify("--data", "mnist:"+absent),
		"table":           certify("--data", "csv:"+absent+".csv"),
		"archive":         certify("--data", "zip:"+absent+".zip"),
		"label map":       certify("--label-map", absent),
		"noise field":     certify("--sigma-field", absent+".npy"),
		"generator":       certify("--npg", absent+".onnx"),
		"denoiser":        certify("--denoiser", absent+".onnx"),
		"library":         certify("--library", absent+".so"),
		"configuration":   certify("--config", absent+".yaml"),
		"certificates":    {"verify", absent + ".jsonl"},
		"votes":           {"certify", "--from-counts", absent + ".jsonl"},
		"zoo":             {"zoo", "plan", absent + ".yaml"},
		"graph":           {"grad", absent + ".onnx", "--out", filepath.Join(dir, "g.onnx")},
		"rows of radii":   {"radius", "--rows", absent},
	}
	for name, args := range subtest.Rows(rows) {
		t.Run(name, func(t *testing.T) { want(t, exitFailed, args...) })
	}
}
