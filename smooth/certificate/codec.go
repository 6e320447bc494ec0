package certificate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Marshal returns c as one line of JSON without the line's end. It does not
// compute the id: SetID does.
func (c *Certificate) Marshal() ([]byte, error) {
	// HTML escaping would make <, > and & differ from what canonical readers see;
	// both forms are valid JSON, this one is shorter.
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("certificate: write: %w", err)
	}
	if buf.Len() > MaxLine {
		return nil, fmt.Errorf("certificate: %d bytes; the limit is %d", buf.Len(), MaxLine)
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// SetID sets the schema and the id from everything else: the last step before
// Marshal.
func (c *Certificate) SetID() error {
	c.Schema = Schema
	id, err := c.computeID()
	if err != nil {
		return err
	}
	c.ID = id
	return nil
}

// computeID returns the hex SHA-256 of the canonical form without id and run.
func (c *Certificate) computeID() (string, error) {
	line, err := c.Marshal()
	if err != nil {
		return "", err
	}
	return LineID(line)
}

// LineID returns the id that the JSON object of a line must carry: the hex
// SHA-256 of its RFC 8785 form without its members "id" and "run". It works on
// any JSON object, a certificate or not.
func LineID(line []byte) (string, error) {
	o, err := parseObject(line)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(appendCanonical(nil, o.without("id", "run")))
	return hex.EncodeToString(sum[:]), nil
}

// Parse reads one certificate, strictly: it accepts only what Marshal could have
// written, white space and the spelling of numbers aside. It checks the form of
// the object, not its truth, which Check does.
func Parse(line []byte) (*Certificate, error) {
	if len(line) > MaxLine {
		return nil, fmt.Errorf("certificate: %d bytes; the limit is %d", len(line), MaxLine)
	}
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	if s, _ := o.get("schema"); s != Schema {
		return nil, fmt.Errorf("certificate: schema is %.60v; this version reads %q", s, Schema)
	}
	c := new(Certificate)
	if err = json.Unmarshal(line, c); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	again, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	w, err := parseObject(again)
	if err != nil {
		return nil, err
	}
	if where, differ := difference(o, w); differ {
		return nil, fmt.Errorf("certificate: member %q is unknown, missing or not in its normal form", where)
	}
	return c, c.validate()
}

// difference names the first place where two parsed values differ. Members of objects may come in
// any order.
func difference(a, b any) (where string, differ bool) {
	k := checker{strict: true}
	if k.walk("", a, b); len(k.findings) == 0 {
		return "", false
	}
	return k.findings[0].Field, true
}

// Recognise reports whether a line looks like a certificate of some version of this
// format, false or damaged as it may be: a JSON object that begins like one or whose
// schema says so.
func Recognise(line []byte) bool {
	text := bytes.TrimLeft(line, " \t\r\n\ufeff")
	return bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte("ucan.certificate/"))
}
