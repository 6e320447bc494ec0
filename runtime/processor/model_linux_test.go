package processor

import (
	"testing"
	"ucan/fixtures/subtest"
)

func TestParseCPUInfo(t *testing.T) {
	for text, want := range subtest.Rows(map[string]string{
		"processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n": "AMD EPYC",
		"processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n":                      "implementer 0x41 part 0xd0c",
		"processor : 0\n": "",
		"":                "",
	}) {
		t.Run(text, func(t *testing.T) {
			if got := parseCPUInfo(text); got != want {
				t.Errorf("%q names %q, want %q", text, got, want)
			}
		})
	}
}
