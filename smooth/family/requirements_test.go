package family

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// closedForms are the families whose radii need no table and no search. Any other family must say
// by how much its radii differ between versions (Numeric).
var closedForms = []string{"gaussian", "laplace", "uniform", "pareto", "ball", "expp"}

// TestFamiliesHaveTheInterfacesTheyNeed: without Lossy a family concedes more mass than it loses,
// and without Numeric its certificates of other versions are refused.
func TestFamiliesHaveTheInterfacesTheyNeed(t *testing.T) {
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := f.(Lossy); !ok {
			t.Errorf("%s does not say what mass its sampler loses; implement Lossy", name)
		}
		_, numeric := f.(Numeric)
		closed := slices.Contains(closedForms, name)
		switch {
		case !numeric && !closed:
			t.Errorf("%s does not say by how much its radii vary; implement Numeric, or list it as a closed form", name)
		case numeric && closed:
			t.Errorf("%s is Numeric, and listed as a closed form", name)
		case closed && keepsTables(f):
			t.Errorf("%s keeps tables, and is listed as a closed form; implement Numeric", name)
		case numeric && !(Slack(f) > 0 && Slack(f) < 1e-8):
			t.Errorf("%s has slack %v", name, Slack(f))
		case closed && Slack(f) != 0:
			t.Errorf("%s, a closed form, has slack %v", name, Slack(f))
		}
	}
	gaussian, err := NewExp2(2, 0)
	if err != nil || Slack(gaussian) != 0 {
		t.Errorf("exp2 with k = 2, which is gaussian, has slack %v (%v)", Slack(gaussian), err)
	}
}

// keepsTables reports that a family computes radii by tables of this package.
func keepsTables(f Isotropic) bool {
	kind := reflect.TypeOf(f)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	for i := range kind.NumField() {
		if field := kind.Field(i).Type; field == reflect.TypeFor[levelSets]() || strings.HasPrefix(field.Name(), "tables[") {
			return true
		}
	}
	return false
}

// TestLossOfOtherFamilies: a family that states no loss concedes a fixed mass a coordinate.
func TestLossOfOtherFamilies(t *testing.T) {
	if got := LostMass(struct{ Family }{Gaussian{}}, 1000); got != 1e-9 {
		t.Errorf("a family without a stated loss concedes %v in dimension 1000, want 1e-9", got)
	}
	if got, want := LostMass(Gaussian{}, 1000), (Gaussian{}).LostMass(1000); got != want {
		t.Errorf("gaussian noise concedes %v, and states %v", got, want)
	}
}

// source is how a family cites: a work of the package's list, and its theorem or method.
var source = regexp.MustCompile(`Source: (\w+ et al\. \d{4}), (Theorem \d|\w[\w-]* method)`)

// TestFamiliesNameTheirSources: the documentation of every family says which theorem certifies, in
// a work that the package's documentation lists.
func TestFamiliesNameTheirSources(t *testing.T) {
	pkg := documentation(t)
	texts := map[string]string{}
	for _, typ := range pkg.Types {
		texts[typ.Name] = strings.Join(strings.Fields(typ.Doc), " ")
	}
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		kind := reflect.TypeOf(f)
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		cited := source.FindAllStringSubmatch(texts[kind.Name()], -1)
		if len(cited) == 0 {
			t.Errorf("the comment of %s names no source; write \"Source: Cohen et al. 2019, Theorem 1.\"", kind.Name())
		}
		for _, c := range cited {
			if !strings.Contains(pkg.Doc, c[1]+":") {
				t.Errorf("%s cites %s, which the package's documentation does not list", kind.Name(), c[1])
			}
		}
	}
}

// documentation parses this package's own comments.
func documentation(t *testing.T) *doc.Package {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			var file *ast.File
			if file, err = parser.ParseFile(fset, name, nil, parser.ParseComments); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	pkg, err := doc.NewFromFiles(fset, files, "ucan/smooth/family")
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
