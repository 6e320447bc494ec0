package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ucan/smooth/certificate"
)

// The page for users and the list that TestEveryAlteration reads are one.
func TestDocumentedList(t *testing.T) {
	page, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := underivableTable(); !strings.Contains(string(page), table) {
		t.Errorf("docs/verify.md lacks the table of underivable members as it is now:\n%s", table)
	}
	for _, o := range underivable() {
		if help := UnderivableHelp(); !strings.Contains(help, o.Path) {
			t.Errorf("the help does not name %s:\n%s", o.Path, help)
		}
	}
}

// matches reports whether the member at a path ("a.b.0") of a certificate is one that this entry
// speaks of.
func (o open) matches(c *certificate.Certificate, path string) bool {
	// What is open about a certificate is open about the stage of its selector.
	if stage, ok := strings.CutPrefix(path, "stages.0."); ok {
		alone, err := c.SelectorAlone()
		return err == nil && o.matches(alone, stage)
	}
	if o.Applies != nil && !o.Applies(c) {
		return false
	}
	want, got := strings.Split(o.Path, "."), strings.Split(path, ".")
	for i, part := range want {
		if part == "**" {
			return i <= len(got)
		}
		if i >= len(got) || part != "*" && part != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}

// underivableTable is the list as a Markdown table, which docs/verify.md holds.
func underivableTable() string {
	var out strings.Builder
	out.WriteString("| member | of certificates | what stays open | `--resample` |\n| --- | --- | --- | --- |\n")
	for _, o := range underivable() {
		where, resample := o.Where, ""
		if where == "" {
			where = "all"
		}
		if o.Resample {
			resample = "compares it"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", o.Path, where, o.Why, resample)
	}
	return out.String()
}
