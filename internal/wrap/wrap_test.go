package wrap

import (
	"testing"

	"ucan/fixtures/subtest"
)

func TestWrapping(t *testing.T) {
	t.Parallel()
	for name, c := range subtest.Rows(map[string]struct{ got, want string }{
		"a paragraph":              {Text("one two three\nfour", 8), "one two\nthree\nfour"},
		"paragraphs":               {Text("one\n\ntwo", 8), "one\n\ntwo"},
		"a list":                   {Text("of:\n  a  some words\n  b  more", 11), "of:\n  a  some\n     words\n  b  more"},
		"a long word":              {Text("onetwothree four", 5), "onetwothree\nfour"},
		"characters, not bytes":    {Text("ααα βββ", 7), "ααα βββ"},
		"a hanging indent":         {Line("  -a  ", 6, "some words", 12), "  -a  some\n      words"},
		"an example at its flags":  {Example("  do x --a 1 2 --b 3", 16), "  do x --a 1 2 \\\n      --b 3"},
		"an example that is short": {Example("  do x\n  do y", 16), "  do x\n  do y"},
	}) {
		t.Run(name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got\n%s\nwant\n%s", c.got, c.want)
			}
		})
	}
}
