package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ucan/fixtures/subtest"
)

// TestWrittenCertificatesFollowTheSchema: what the command writes is as
// docs/certificate.schema.json says.
func TestWrittenCertificatesFollowTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/certificate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, noise := range subtest.Rows(map[string][]string{
		"isotropic": {"--sigma", "0.25"},
		"adaptive":  {"--sigma", "0.25", "--adaptive", "fast"},
		"pattern":   {"--npg", "pattern:l2,kappa=0.3,iota=0.2"}, // its field lies in a file
		"structure": {"--npg", "pattern:dct16"},
		"lattice":   {"--sigma", "0.25", "--arithmetic", "lattice"},
		"abstained": {"--sigma", "50"},
	}) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.jsonl")
			args := append([]string{"certify", "--model", "../../models/demo/digits_cnn.onnx", "--data", "digits?n=50", "--n", "200", "--max", "2", "--seed", "1", "--json", file, "--quiet"}, noise...)
			if got := ucan(t, args...); got.code != exitDone {
				t.Fatal(got.stderr)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
			if len(lines) != 2 {
				t.Fatalf("%d certificates, want 2", len(lines))
			}
			for _, line := range lines {
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(value); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
