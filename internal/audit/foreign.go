package audit

import (
	"bytes"
	"strings"

	"ucan/smooth/certificate"
)

// foreign reports from the first bytes of a file that it holds no certificates: what it seems to
// be, and what to do. It returns "" for a file that may hold some, damaged as they may be.
func foreign(head []byte) string {
	const remedy = "name the file that --json wrote"
	text := bytes.TrimLeft(head, " \t\r\n\ufeff")
	begins := func(prefix string) bool { return bytes.HasPrefix(head, []byte(prefix)) }
	first, _, _ := bytes.Cut(text, []byte("\n"))
	fold := strings.ToLower(string(text[:min(len(text), 16)]))
	switch {
	case len(text) == 0:
		return "the file is empty; " + remedy
	case begins("idx\t"), begins("model\tdataset\tnoise\t"):
		return "this is a table of results (--out), which has no votes to check; name the .jsonl file of the same run (--json)"
	case begins("\x1f\x8b"), begins("PK\x03\x04"), begins("BZh"), begins("\xfd7zXZ"), begins("\x28\xb5\x2f\xfd"):
		return "this is a compressed file or an archive; unpack it, and name the .jsonl file inside"
	case begins("\x93NUMPY"):
		return "this is an array of numpy, such as a noise field beside certificates; " + remedy
	case begins("PAR1"):
		return "this is a Parquet file; name certificates.jsonl of the same export"
	case begins("\x89PNG"), begins("\xff\xd8\xff"), begins("%PDF"):
		return "this is a picture or a document; " + remedy
	case strings.HasPrefix(fold, "<!doctype"), strings.HasPrefix(fold, "<html"), strings.HasPrefix(fold, "<?xml"), strings.HasPrefix(fold, "<svg"):
		return "this is a page or a picture (HTML, XML, SVG); " + remedy
	case begins("SQLite format 3"):
		return "this is the store of a zoo; write its certificates with \"ucan zoo export\" and name certificates.jsonl"
	case bytes.IndexByte(head, 0) >= 0:
		return "this is a binary file, such as an ONNX model; " + remedy
	case text[0] == '[':
		return "this is a JSON array; certificates are one JSON object per line, " + remedy
	case text[0] != '{':
		return "this is text without certificates (YAML, CSV or a log?); " + remedy
	case certificate.Recognise(head):
		return ""
	case bytes.Contains(head, []byte(`"ucan.run/`)):
		return "this is the record of a run (.run.json); name the .jsonl file beside it, without .run.json"
	case !bytes.HasPrefix(first, []byte(`{"`)) || bytes.Contains(first, []byte(`"epoch"`)):
		return "this is JSON of another kind; " + remedy
	}
	return ""
}
