package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
)

// sharedModels returns the paths of the example models, skipping the test where they are not at
// hand.
func sharedModels(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no example models in the shared folder")
	}
	return files
}

func TestReadMarshalParseKeepsEverything(t *testing.T) {
	for _, f := range sharedModels(t) {
		m, err := onnx.Read(f)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		b, err := m.Marshal()
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		again, err := onnx.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		if !proto.Equal(m.Proto(), again.Proto()) {
			t.Errorf("%s: the model differs after writing and reading it", f)
		}
		orig, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(orig) != len(b) {
			t.Logf("%s: %d bytes became %d", f, len(orig), len(b))
		}
	}
}

func TestParseRejects(t *testing.T) {
	for name, b := range subtest.Rows(map[string][]byte{
		"empty":    {},
		"text":     []byte("hello world, this is no model"),
		"no graph": {0x08, 0x08},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := onnx.Parse(b); !errors.Is(err, onnx.ErrMalformed) {
				t.Errorf("%s: error %v, want ErrMalformed", name, err)
			}
		})
	}
}
