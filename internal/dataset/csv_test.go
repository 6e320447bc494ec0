package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"ucan/fixtures/subtest"
)

func inUTF16(text string, order binary.AppendByteOrder) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

func parseTable(text, query string) (*csvStore, Info, error) {
	spec, err := ParseSpec("csv:x.csv" + query)
	if err != nil {
		return nil, Info{}, err
	}
	return parseCSV(context.Background(), memoryBlob([]byte(text)), spec)
}

// The same table is read from every form in which programs write it.
func TestFormsOfTables(t *testing.T) {
	const plainTable = "sl,sw,cls\n5.1,3.5,a b\n4.9,3,c\n"
	semicolons := strings.ReplaceAll(plainTable, ",", ";")
	commas := strings.ReplaceAll(semicolons, ".", ",")
	for name, tc := range subtest.Rows(map[string]struct{ text, query string }{
		"plain":                 {plainTable, ""},
		"UTF-8 with a mark":     {"\ufeff" + plainTable, ""},
		"UTF-16, little-endian": {inUTF16(plainTable, binary.LittleEndian), ""},
		"UTF-16, big-endian":    {inUTF16(plainTable, binary.BigEndian), ""},
		"UTF-16, semicolons":    {inUTF16(commas, binary.LittleEndian), ""},
		"semicolons":            {semicolons, ""},
		"semicolons, asked for": {semicolons, "&sep=;"},
		"decimal commas":        {commas, ""},
		"commas, asked for":     {commas, "&decimal=,"},
		"tabs":                  {strings.ReplaceAll(plainTable, ",", "\t"), ""},
		"tabs and commas":       {strings.ReplaceAll(commas, ";", "\t"), "&sep=tab&decimal=,"},
		"another separator":     {strings.ReplaceAll(plainTable, ",", "|"), "&sep=|"},
		"quotes":                {"sl,sw,cls\n\"5.1\",\"3.5\",\"a b\"\n4.9,3,c\n", ""},
		"quotes and commas":     {"sl;sw;cls\n\"5,1\";\"3,5\";a b\n\"4,9\";3;c\n", ""},
		"Windows lines":         {strings.ReplaceAll(plainTable, "\n", "\r\n"), ""},
		"an index column":       {",sl,sw,cls\n0,5.1,3.5,a b\n1,4.9,3,c\n", "&drop=0"},
		"columns to leave out":  {"id,sl,note,sw,cls\nx1,5.1,,3.5,a b\nx2,4.9,?,3,c\n", "&drop=id,note"},
		"one of them by number": {"id,sl,note,sw,cls\nx1,5.1,,3.5,a b\nx2,4.9,?,3,c\n", "&drop=note,0"},
	}) {
		t.Run(name, func(t *testing.T) {
			s, info, err := parseTable(tc.text, "?label=cls"+tc.query)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.values, []float32{5.1, 3.5, 4.9, 3}) || !slices.Equal(s.classes, []int{0, 1}) || !slices.Equal(info.Labels, []string{"a b", "c"}) {
				t.Errorf("values %v, labels %v of %q", s.values, s.classes, info.Labels)
			}
		})
	}
}

// Whatever a comma may do inside a cell, a table that is separated by commas stays one.
func TestSeparators(t *testing.T) {
	for text, want := range subtest.Rows(map[string]rune{
		"1,2\n3,4\n": ',', "1;2\n3;4\n": ';', "1\t2\n3\t4\n": '\t', "1\n2\n": ',', "": ',',
		"a,b\n1,x;y;z\n2,y;z;x\n": ',', "a (m;s),b\n1,2\n": ',', "1,5;2,5\n3,5;4\n": ';', "x;cls\n1,5;a\n2,5;b\n": ';',
		"a;b\n\"1;5\";2\n": ';', "a;b;c\n1;2\n": ';', "a,b,c\n1,2\n": ',', "\"a;b\",c\n1,2\n": ',', "\t1\t2\n1\t2\t3\n": '\t',
	}) {
		t.Run(text, func(t *testing.T) {
			if got, err := findSeparator(memoryBlob([]byte(text))); err != nil || got != want {
				t.Errorf("%q is separated by %q, %v; want %q", text, got, err, want)
			}
		})
	}
}

// What cannot be read is named with its line and column, and with what to do.
func TestFaultyTables(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, tc := range subtest.Rows(map[string]struct{ text, query, want string }{
		"an empty cell":        {"sl,sw,cls\n1,2,a\n1,,a\n", "?label=cls", `line 3, column 2 ("sw"): "" is a missing value; fill it in`},
		"a missing value":      {"sl;sw;cls\n1;2;a\n1;NA;a\n", "?label=cls", `line 3, column 2 ("sw"): "NA" is a missing value`},
		"an unnamed column":    {"1,2,a\n1,?,a\n", "?label=2", `line 2, column 2: "?" is a missing value`},
		"a short row":          {"a,b\n1,2\n3\n", "", "line 3: wrong number of fields: it has 1 and the first line 2"},
		"a long row":           {"a;b\n1;2\n3;4;5\n", "", "it has 3 and the first line 2"},
		"words":                {"a,b,cls\n1,red,0\n", "?label=cls", `"red" is not a number; encode the column as numbers first, or read the table with ?drop=1`},
		"words, no label":      {"a,b\n1,red\n", "", "?label=1 if it is the label"},
		"no such label":        {"sl,sw,species\n1,2,a\n", "?label=speces", `did you mean "species"? There are "sl", "sw", "species"`},
		"no such column":       {"sl,sw,cls\n1,2,a\n", "?drop=id", `option drop=id: no such column; there are "sl", "sw", "cls"`},
		"the label dropped":    {"sl,sw,cls\n1,2,a\n", "?label=cls&drop=cls", "that is the column of labels"},
		"a long name":          {long + ",b\n1,2\n", "?label=z", strings.Repeat("x", 60) + "…"},
		"control characters":   {"\x1b[31m,b\n1,2\n", "?label=z", `"\x1b[31m"`},
		"UTF-16 without mark":  {"a\x00,\x00b\x00\n\x00", "", "save it as UTF-8"},
		"mixed decimals":       {"a;b\n1,5;2\n2.5;3\n", "", "some numbers have a decimal point (line 3) and some a comma (line 2)"},
		"thousands":            {"a;b\n1.234,5;2\n", "", "without marks between thousands"},
		"a comma under tabs":   {"a\tb\n1,5\t2\n", "", "add decimal=,"},
		"no such separator":    {"a,b\n1,2\n", "?sep=ab", "want one character, or tab or space"},
		"commas twice":         {"a,b\n1,2\n", "?decimal=,", "name the separator with sep="},
		"a point, not allowed": {"a;b\n1.5;2\n", "?decimal=,", "decimal=, was given"},
		"a bare quote":         {"a,b\n1,x\"y\n", "", "write a quote inside a cell twice"},
	}) {
		t.Run(name, func(t *testing.T) {
			_, _, err := parseTable(tc.text, tc.query)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSpec) {
				t.Errorf("%v is neither ErrFormat nor ErrSpec", err)
			}
		})
	}
}

func TestNotesOnTables(t *testing.T) {
	for name, tc := range subtest.Rows(map[string]struct{ text, query, want string }{
		"labels not found":   {"a,b\n1,2\n", "", "no column is named like labels"},
		"decimal commas":     {"a;b\n1;2\n1,5;2\n", "", "decimal comma are read (line 3"},
		"names like numbers": {"1,x\n1,2\n", "", "taken as names of columns"},
		"a column of rows":   {"id,b,cls\n1,2,a\n2,2,a\n3,7,b\n", "?label=cls", `column 1 ("id") counts the rows`},
		"nothing to say":     {"a,b,cls\n1,2,a\n3,2,a\n4,7,b\n", "?label=cls", ""},
	}) {
		t.Run(name, func(t *testing.T) {
			_, info, err := parseTable(tc.text, tc.query)
			if notes := strings.Join(info.Notes, "\n"); err != nil || !strings.Contains(notes, tc.want) || (tc.want == "") != (notes == "") {
				t.Errorf("notes %q, %v; want %q", notes, err, tc.want)
			}
		})
	}
}
