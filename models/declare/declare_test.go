package declare_test

import (
	"os"
	"path/filepath"
	"testing"

	"ucan/models/declare"
)

// TestParseFix reads the --fix flags.
func TestParseFix(t *testing.T) {
	got, err := declare.ParseFix([]string{"a=1", "b=true", "c=1,2,3"})
	if err != nil || len(got) != 3 || got["c"] != "1,2,3" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range [][]string{{"a"}, {"=1"}, {"a="}, {"a=x"}, {"a=nan"}, {"a=1", "a=2"}} {
		if got, err := declare.ParseFix(bad); err == nil {
			t.Errorf("%v gave %v", bad, got)
		}
	}
}

// FuzzRead: a model.yaml is read or refused.
func FuzzRead(f *testing.F) {
	f.Add("input: {name: x, mean: [1, 2], fix: {a: 1}}\noutput: {decision: threshold:2}\nlabels: [a]\n")
	f.Add("a: &x [*x]\n")
	f.Add("input: {scale: .inf}")
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(t.TempDir(), "model.yaml")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Skip(err)
		}
		d, err := declare.Read(path)
		if err == nil && d.Validate() != nil {
			t.Errorf("read %+v, which is invalid", d)
		}
	})
}
