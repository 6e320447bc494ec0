package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
)

// hostile is what names in these tests hold: it would colour, retitle, ring, erase, turn and
// break the line.
const hostile = "\x1b[31m\x1b]0;t\a\r\u009b2J\u202e\u2066\x7f\xff\xc3("

// onlyText fails the test when anything but text left the command.
func onlyText(t *testing.T, got outcome) {
	t.Helper()
	for _, s := range []string{got.stdout, got.stderr} {
		for i, r := range s {
			if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
				t.Fatalf("%U came out in …%q…", r, s[max(i-40, 0):min(i+40, len(s))])
			}
		}
		if !strings.Contains(s, "\ufffd") && strings.ToValidUTF8(s, "") != s {
			t.Fatalf("no UTF-8: %q", s)
		}
	}
}

// linear writes a classifier of 4 values and 3 classes whose names are the given ones.
func linear(t *testing.T, path, input, output, weights, op string) {
	t.Helper()
	b := onnx.NewBuilder("names", 17)
	x := b.Input(input, onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	w, err := onnx.NewTensor(weights, []int64{4, 3}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	if err != nil {
		t.Fatal(err)
	}
	b.Output(output, b.Op(op, []onnx.Value{x, b.Initializer(w)}), onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err = m.Write(path); err != nil {
		t.Fatal(err)
	}
}

func TestForeignNamesAreText(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	dir, model := workshop(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	text := func(name, content string) string {
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 28, 28))); err != nil {
		t.Fatal(err)
	}
	utf := strings.ToValidUTF8(hostile, "")
	linear(t, in("named.onnx"), utf+"x", utf+"\ny", utf+"w", "MatMul")
	linear(t, in("refused.onnx"), "x", "y", "w", "Odd"+utf)
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, name := range []string{"a" + hostile + "/1.png", "b/" + hostile + ".png", "b/broken" + hostile + ".png"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		content := picture.Bytes()
		if strings.Contains(name, "broken") {
			content = content[:40]
		}
		if _, err = w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	class := "class" + strings.NewReplacer("/", "", "\xff", "", "\xc3", "").Replace(hostile)
	text(filepath.Join("folders", class, "1.png"), picture.String())
	text(filepath.Join("folders", "b", "1.png"), picture.String())
	copied := text("labelled.onnx", read(t, model))
	text("labelled.model.yaml", "labels: [\"a\\e[31m\\x07\\u202e\", b, c, d, e, f, g, h, i, j]\n")
	certificate := map[string]any{"schema": utf, "id": utf}
	line, err := json.Marshal(certificate)
	if err != nil {
		t.Fatal(err)
	}
	predict := func(model, data string) []string {
		return []string{"predict", "--n", "0", "--model", model, "--data", data, "--max", "3"}
	}
	for name, args := range subtest.Rows(map[string][]string{
		"names in a model":         {"inspect", in("named.onnx")},
		"names in a model, asked":  {"inspect", in("named.onnx"), "--output", "other" + hostile},
		"gradients":                {"inspect", in("named.onnx"), "--gradients"},
		"an error of the library":  {"inspect", in("refused.onnx")},
		"labels of model.yaml":     {"inspect", copied},
		"members of an archive":    predict(model, "zip:"+text("a.zip", archive.String())),
		"names of folders":         predict(model, "folder:"+in("folders")),
		"a table's header":         predict(model, "csv:"+text("t.csv", "a"+hostile+",b"+hostile+"\n1,2\n")+"?label=c"+hostile),
		"a table's cell":           predict(model, "csv:"+text("u.csv", "a,b\n1,2\n3,"+hostile+"\n")),
		"a label map":              append(predict(model, "digits?n=3"), "--label-map", text("map.txt", "1,1\n"+hostile)),
		"a certificate":            {"verify", text("c.jsonl", string(line)+"\n")},
		"bytes of a certificate":   {"verify", text("d.jsonl", hostile+"\n")},
		"certificates to continue": {"certify", "--from-counts", text("e.jsonl", string(line)+"\n")},
		"keys of a configuration":  {"config", "--config", text("c.yaml", "\"k\\e[31m\\u202e\": 1\n")},
		"a zoo":                    {"zoo", "plan", text("zoo.yaml", "models:\n  - {name: \"m\\e[31m\", file: none.onnx}\ndatasets:\n  - {source: digits}\n")},
		"a family":                 {"radius", "--noise", "g" + hostile, "--norm", "l2", "--sigma", "1", "--dim", "3", "--p-lower", "0.9"},
		"a path":                   {"inspect", in("none" + hostile + ".onnx")},
		"a flag":                   {"inspect", "--f" + hostile},
		"a command":                {"c" + hostile},
		"a header of npy":          predict(model, "npy:"+text("h.npy", "\x93NUMPY\x01\x00\x30\x00{'descr': '"+hostile+"', }"+strings.Repeat(" ", 60))),
	}) {
		t.Run(name, func(t *testing.T) {
			onlyText(t, ucan(t, args...))
			asJSON := ucan(t, append(args, "--format", "json")...)
			onlyText(t, asJSON)
			if asJSON.stdout != "" && !json.Valid([]byte(asJSON.stdout)) {
				t.Errorf("no JSON: %s", asJSON.stdout)
			}
		})
	}
}

// A report says each thing on its line: a name cannot add one.
func TestNamesAddNoLines(t *testing.T) {
	t.Parallel()
	dir, _ := workshop(t)
	path := filepath.Join(dir, "lines.onnx")
	linear(t, path, "x", "y\nverdict        sound", "w", "MatMul")
	got := want(t, exitDone, "inspect", path)
	for line := range strings.Lines(got.stdout) {
		if strings.HasPrefix(line, "verdict") {
			t.Errorf("a line that a name wrote:\n%s", got.stdout)
		}
	}
}
