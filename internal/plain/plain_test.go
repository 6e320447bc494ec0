package plain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"ucan/fixtures/subtest"
)

// text escapes s as a Writer does.
func text(s string) string { return string(appendText(nil, []byte(s), true)) }

func TestText(t *testing.T) {
	for in, want := range subtest.Rows(map[string]string{
		"plain ASCII, äöü, 数字, σ ≤ ½, a\u00a0b": "plain ASCII, äöü, 数字, σ ≤ ½, a\u00a0b",
		"line\nand\ttab":         "line\nand\ttab",
		"\x1b[31mred":            `\u001b[31mred`,
		"bell\a, back\b\r, \x7f": `bell\u0007, back\u0008\u000d, \u007f`,
		"C1 \u009b31m \u0085":    `C1 \u009b31m \u0085`,
		"abc\u202egpj.exe":       `abc\u202egpj.exe`,
		"\u2066x\u2069\u200f":    `\u2066x\u2069\u200f`,
		"sep\u2028\u2029\ufeff":  `sep\u2028\u2029\ufeff`,
		"bad\xff\xc3":            `bad\xff\xc3`,
		"\U000e0041 tag":         `\udb40\udc41 tag`,
		"the mark \ufffd itself": "the mark \ufffd itself",
	}) {
		t.Run(in, func(t *testing.T) {
			if got := text(in); got != want {
				t.Errorf("text(%q) = %q, want %q", in, got, want)
			}
		})
	}
	if got := Line("a\nb\tc\x00"); got != `a\nb\tc\u0000` {
		t.Errorf("Line: %q", got)
	}
}

// Whatever is written, in whatever pieces, the same text comes out, and only text.
func TestWriterInPieces(t *testing.T) {
	all := "σ\x1b]0;title\a 数\u202e字\n\xe6\x95 \xf0\x9f\x98\x80 \xf0\x9f"
	for size := 1; size <= len(all); size++ {
		var out bytes.Buffer
		w := NewWriter(&out)
		for at := 0; at < len(all); at += size {
			piece := all[at:min(at+size, len(all))]
			if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), text(all); got != want {
			t.Fatalf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
}

// Documents of JSON mean the same after the writer: encoding/json leaves DEL, C1 and the
// marks of direction as they are.
func TestJSONStaysJSON(t *testing.T) {
	var all strings.Builder
	for r := rune(1); r < 0x3000; r++ {
		all.WriteRune(r)
	}
	all.WriteString("\U000e0001\U0001f600")
	in := map[string]string{all.String(): all.String()}
	doc, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := text(string(doc))
	for _, r := range out {
		if !unicode.IsGraphic(r) {
			t.Fatalf("%U came through", r)
		}
	}
	var back map[string]string
	if err = json.Unmarshal([]byte(out), &back); err != nil || back[all.String()] != all.String() {
		t.Fatalf("the document changed: %v", err)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Line(s) {
			if !unicode.IsGraphic(r) {
				t.Fatalf("%U in %q", r, Line(s))
			}
		}
	})
}
