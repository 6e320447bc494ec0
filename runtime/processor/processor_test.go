package processor

import (
	"runtime"
	"strings"
	"testing"
)

func TestCurrent(t *testing.T) {
	p := Current()
	want := map[string]string{"amd64": "x86-64 ", "arm64": "arm64 neon"}[runtime.GOARCH]
	if want == "" {
		want = runtime.GOARCH
	}
	if !strings.HasPrefix(p.Instructions, want) {
		t.Errorf("instructions %q, want them to begin with %q", p.Instructions, want)
	}
	if p != Current() {
		t.Error("two looks at one processor differ")
	}
	if s := p.String(); p.Model != "" && s != p.Instructions+" ("+p.Model+")" || p.Model == "" && s != p.Instructions {
		t.Errorf("String is %q of %+v", s, p)
	}
}

// Names come from firmware and files: they must not break a record or a terminal.
func TestClean(t *testing.T) {
	for name, want := range map[string]string{
		"AMD EPYC": "AMD EPYC",
		"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz": "Intel R Xeon R CPU E5-2680 v4 @ 2.40GHz",
		"  a\tb\x1b[31m\n":                          "a b [31m",
		"naïve":                                     "na ve",
		strings.Repeat("x", 200):                    strings.Repeat("x", maxModel),
		strings.Repeat("x", maxModel-1) + " y":      strings.Repeat("x", maxModel-1),
	} {
		if got := clean(name); got != want {
			t.Errorf("clean(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	for _, c := range []struct {
		before, now string
		want        bool
	}{
		{"x86-64 avx2", "x86-64 avx2", false},
		{"x86-64 avx2", "x86-64 avx512", true},
		{"x86-64 avx2 (AMD EPYC)", "x86-64 avx2 (Intel Xeon)", true},
		{"", "x86-64 avx2", false}, // a record of an earlier version
		{"x86-64 avx2", "", false},
	} {
		if got := Changed(c.before, c.now); got != c.want {
			t.Errorf("Changed(%q, %q) is %t", c.before, c.now, got)
		}
	}
}
