package audit

import (
	"os"
	"strings"
	"testing"
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
