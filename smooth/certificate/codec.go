package certificate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	v, err := parse(line)
	if err != nil {
		return "", fmt.Errorf("certificate: %w", err)
	}
	o, ok := v.(object)
	if !ok {
		return "", errors.New("certificate: not a JSON object")
	}
	return objectID(o), nil
}

func objectID(o object) string {
	sum := sha256.Sum256(appendCanonical(nil, o.without("id", "run")))
	return hex.EncodeToString(sum[:])
}

// Parse reads one certificate, strictly: it accepts only what Marshal could have
// written, white space and the spelling of numbers aside. It checks the form of
// the object, not its truth, which Check does.
func Parse(line []byte) (*Certificate, error) {
	if len(line) > MaxLine {
		return nil, fmt.Errorf("certificate: %d bytes; the limit is %d", len(line), MaxLine)
	}
	v, err := parse(line)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("certificate: not a JSON object")
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
	w, err := parse(again)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if where := difference("", v, w); where != "" {
		return nil, fmt.Errorf("certificate: member %q is unknown, missing or not in its normal form", where)
	}
	return c, c.validate()
}

// difference names the first place where two parsed values differ, "" for none.
// Members of objects may come in any order.
func difference(path string, a, b any) string {
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch x := a.(type) {
	case object:
		y, ok := b.(object)
		if !ok {
			return path
		}
		mine, theirs := x.index(), y.index()
		for _, m := range x {
			w, ok := theirs[m.name]
			if !ok {
				return join(m.name)
			}
			if d := difference(join(m.name), m.value, w); d != "" {
				return d
			}
		}
		for _, m := range y {
			if _, ok := mine[m.name]; !ok {
				return join(m.name)
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return path
		}
		for i := range x {
			if d := difference(join(strconv.Itoa(i)), x[i], y[i]); d != "" {
				return d
			}
		}
		return ""
	default:
		if a != b {
			return path
		}
		return ""
	}
}

// Recognise reports whether a line looks like a certificate of some version of this
// format, false or damaged as it may be: a JSON object that begins like one or whose
// schema says so.
func Recognise(line []byte) bool {
	text := bytes.TrimLeft(line, " \t\r\n\ufeff")
	return bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte("ucan.certificate/"))
}
