package smooth_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cited are the transforms, bounds and regions that certificates rest on, by package. Those with an
// error probability alpha in package stats are added by the test, and package family has a test of
// its own.
var cited = map[string][]string{
	".":          {"Smoother.Certify", "Smoother.Predict", "SealedNoise.TheoremRadius", "SealedNoise.Region"},
	"stats":      {"BinomialTest", "NormalQuantile", "CompareCounts"},
	"sequential": {"Table", "Anytime", "TwoStage", "Plan.LevelAlpha"},
	"region":     {"Region", "Region.Radius", "Region.ALM", "Region.LogVolume"},
	"basis":      {"DCT2", "Transform.VertexGain", "Transform.CubeGain"},
}

// TestBoundsNameTheirSources: each says where its theorem is from, or proves it.
func TestBoundsNameTheirSources(t *testing.T) {
	source := regexp.MustCompile(`Source: |Proof\b`)
	for dir, names := range cited {
		texts, bounds := documented(t, dir)
		if dir == "stats" {
			names = append(names, bounds...)
		}
		for _, name := range names {
			if text, ok := texts[name]; !ok || !source.MatchString(text) {
				t.Errorf("the comment of %s in smooth/%s names no source; write \"Source: …\" or \"Proof. …\"", name, dir)
			}
		}
	}
}

// documented returns the comments of the exported names of a package, and those of its functions
// that take an error probability alpha.
func documented(t *testing.T, dir string) (texts map[string]string, bounds []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		var file *ast.File
		if file, err = parser.ParseFile(fset, path, nil, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
		if file.Name.Name != "main" {
			files = append(files, file)
		}
	}
	pkg, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	add := func(prefix string, funcs []*doc.Func) {
		for _, f := range funcs {
			texts[prefix+f.Name] = f.Doc
			for _, p := range f.Decl.Type.Params.List {
				for _, id := range p.Names {
					if id.Name == "alpha" {
						bounds = append(bounds, prefix+f.Name)
					}
				}
			}
		}
	}
	add("", pkg.Funcs)
	for _, typ := range pkg.Types {
		texts[typ.Name] = typ.Doc
		add("", typ.Funcs)
		add(typ.Name+".", typ.Methods)
	}
	return texts, bounds
}
