package fit

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ucan/internal/dataset"
)

// Classes of training and validation have one numbering, though the validation lacks a class, and
// it is that of the model where there is one.
func TestClassesOfBothSources(t *testing.T) {
	open := func(text string) *dataset.Source {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := dataset.Open(context.Background(), "csv:"+path, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	labels := func(s *dataset.Source) (out []int) {
		for i := range s.Len() {
			item, err := s.At(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, item.Label)
		}
		return out
	}
	for names, want := range map[string][2][]int{"": {{0, 1, 2}, {2, 0}}, "cat,bee,ant": {{2, 1, 0}, {0, 2}}} {
		d := Data{Source: open("a,label\n1,ant\n2,bee\n3,cat\n"), Validation: open("a,label\n1,cat\n2,ant\n")}
		var list []string
		if names != "" {
			list = []string{"cat", "bee", "ant"}
		}
		if _, err := d.MatchClasses(list); err != nil {
			t.Fatal(err)
		}
		if got := [2][]int{labels(d.Source), labels(d.Validation)}; !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) {
			t.Errorf("names %q: labels %v, want %v", names, got, want)
		}
	}
	d := Data{Source: open("a,label\n1,ant\n"), Validation: open("a,label\n1,dog\n")}
	if _, err := d.MatchClasses(nil); err == nil {
		t.Error("a class that only the validation has was taken")
	}
}
