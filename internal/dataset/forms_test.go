package dataset

import (
	"context"
	"errors"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
)

var update = flag.Bool("update", false, "rewrite the generated tables of documents")

// specimens makes a small source of each form, of at least two inputs. Their labels are known,
// unless the form has none.
func specimens(t *testing.T) map[string]string {
	images := imageTree(t)
	byte2 := func(label ...byte) []byte { return slices.Concat(label, ramp(3072), label, ramp(3072)) }
	dir := writeFiles(t, map[string][]byte{
		"t10k-images-idx3-ubyte": idxBytes([]int{2, 2, 2}, ramp(8)), "t10k-labels-idx1-ubyte": idxBytes([]int{2}, []byte{7, 9}),
		"10.bin": byte2(3), "100.bin": byte2(3, 50), "a.csv": []byte("a,b,class\n1,2,x\n3,4,y\n"),
	})
	return map[string]string{
		"mnist":    "mnist:" + dir,
		"cifar10":  "cifar10:" + filepath.Join(dir, "10.bin"),
		"cifar100": "cifar100:" + filepath.Join(dir, "100.bin"),
		"folder":   images[0],
		"zip":      images[1],
		"tar":      images[2],
		"npy":      "npy:testdata/v2.npy,testdata/labels.npy",
		"npz":      "npz:testdata/stored.npz",
		"csv":      "csv:" + filepath.Join(dir, "a.csv"),
		"digits":   "digits?n=3",
	}
}

// TestFormsAreComplete fails until every form says how it is written and what it holds, and has a
// specimen that opens and behaves as all sources do.
func TestFormsAreComplete(t *testing.T) {
	all := specimens(t)
	names := map[string]bool{}
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			for field, missing := range subtest.Rows(map[string]bool{
				"name": f.name == "", "inputs": f.inputs == "", "labels": f.labels == "", "example": f.example == "", "open": f.open == nil,
				"paths, minPaths or maxPaths": f.minPaths > f.maxPaths || (f.maxPaths > 0) != (f.paths != ""),
			}) {
				if missing {
					t.Errorf("its row in forms lacks %s", field)
				}
			}
			if names[f.name] {
				t.Error("two forms have this name")
			}
			names[f.name] = true
			spec, err := ParseSpec(f.example)
			if err != nil || spec.Kind != f.name {
				t.Errorf("its example %q: kind %q, %v", f.example, spec.Kind, err)
			}
			for key, value := range spec.Params {
				if !strings.Contains(f.usage(), key+"=") || value == "" {
					t.Errorf("its example has the key %s, its usage is %s", key, f.usage())
				}
			}
			if !slices.Contains(Complete(f.name[:1]), f.start()+"\t"+f.usage()) {
				t.Error("completion does not offer it")
			}
			specimen, ok := all[f.name]
			if !ok {
				t.Fatal("no small source of this form: add one to specimens")
			}
			checkForm(t, f, specimen)
		})
	}
	if len(all) != len(names) {
		t.Errorf("specimens of %v, forms() has %v", slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(names)))
	}
}

// checkForm checks what every source promises.
func checkForm(t *testing.T, f form, specimen string) {
	t.Helper()
	s, again := mustOpen(t, specimen, Options{}), mustOpen(t, specimen, Options{})
	info := s.Info()
	if len(info.Fingerprint) != 64 || info.Fingerprint != again.Info().Fingerprint {
		t.Errorf("fingerprints %q and %q", info.Fingerprint, again.Info().Fingerprint)
	}
	if !strings.HasPrefix(info.Name, f.name) || strings.Contains(info.Name, "/") {
		t.Errorf("%q is to begin with the form and hold no folder", info.Name)
	}
	if s.Len() < 2 {
		t.Fatalf("the specimen has %d inputs, want at least 2", s.Len())
	}
	for i := range s.Len() {
		item, err := s.At(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		other, err := again.At(context.Background(), i)
		if err != nil || other.SHA256 != item.SHA256 || item.SHA256 != smooth.InputID(item.X) {
			t.Errorf("input %d: digests %x and %x, %v", i, item.SHA256, other.SHA256, err)
		}
		if item.Index != i || !slices.Equal(item.Shape, info.Shape) || (item.Label < 0) != (f.labels == "none") || (info.Classes > 0 && item.Label >= info.Classes) {
			t.Errorf("input %d: index %d, shape %v of %v, label %d of %d classes", i, item.Index, item.Shape, info.Shape, item.Label, info.Classes)
		}
		for _, v := range item.X {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || (info.Image && (v < 0 || v > 1)) {
				t.Fatalf("input %d holds %v", i, v)
			}
		}
	}
	if _, err := s.At(context.Background(), s.Len()); err == nil {
		t.Error("an input beyond the end was read")
	}
	sep := "?"
	if strings.Contains(specimen, "?") {
		sep = "&"
	}
	faulty := []string{specimen + sep + "no_such_key=1"}
	if f.maxPaths > 0 {
		faulty = append(faulty, f.name, f.name+":"+filepath.Join(t.TempDir(), "absent"))
	}
	for _, text := range faulty {
		if _, err := Open(context.Background(), text, Options{}); !errors.Is(err, ErrSpec) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one line that matches ErrSpec", text, err)
		}
	}
}

// TestDataPage holds the table of docs/data.md to the forms.
func TestDataPage(t *testing.T) {
	const path, begin, end = "../../docs/data.md", "| source | example | inputs | labels |\n| --- | --- | --- | --- |\n", "\nEvery file may be packed"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	old, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s has no table of sources", path)
	}
	var rows strings.Builder
	for _, f := range forms() {
		rows.WriteString("| `" + f.start() + f.paths + "` | `" + f.example + "` | " + f.inputs + " | " + f.labels + " |\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+rows.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != rows.String() {
		t.Errorf("the table of %s is out of date; run: go test ./internal/dataset -run TestDataPage -update", path)
	}
	_, keys, _ := strings.Cut(after, "## Keys")
	keys, _, _ = strings.Cut(keys, "\n## ")
	for _, f := range forms() {
		for _, key := range f.keyNames() {
			if !strings.Contains(keys, "`"+key+"`") {
				t.Errorf("%s does not explain the key %s of %s:", path, key, f.name)
			}
		}
	}
}
