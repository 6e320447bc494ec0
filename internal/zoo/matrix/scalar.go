package matrix

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar reads a single value.
func (r *treeReader) scalar(n *yaml.Node, path string, f field) (any, bool) {
	if n.Kind == yaml.ScalarNode {
		if v, err := parseScalar(n, f); err == nil && inRange(v, f) {
			return v, true
		}
	}
	r.faults.add(n.Line, "%q is %s; write %s", path, describe(n), form(f))
	return nil, false
}

var errForm = errors.New("another form")

func parseScalar(n *yaml.Node, f field) (any, error) {
	switch f.kind {
	case kindText:
		if n.Value == "" || strings.ContainsAny(n.Value, "\x00\n\t") {
			return nil, errForm
		}
		return n.Value, nil
	case kindNumber:
		var v float64
		if n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&v) != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errForm
		}
		return v, nil
	case kindWhole:
		return wholeOf(n)
	case kindSeed:
		return strconv.ParseUint(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
	case kindBool:
		var v bool
		if n.Tag != "!!bool" || n.Decode(&v) != nil {
			return nil, errForm
		}
		return v, nil
	case kindChoice:
		text := strings.ToLower(n.Value)
		if text == "false" && n.Tag == "!!bool" { // how some writers spell off
			text = "off"
		}
		if !slices.Contains(f.values, text) {
			return nil, errForm
		}
		return text, nil
	case kindBytes:
		return parseBytes(n.Value)
	case kindSpan:
		return parseSpan(n.Value)
	default:
		return nil, errForm
	}
}

// wholeOf reads a whole number, 1e5 included.
func wholeOf(n *yaml.Node) (any, error) {
	var v float64
	if n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&v) != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return nil, errForm
	}
	return int64(v), nil
}

func inRange(v any, f field) bool {
	var x float64
	switch v := v.(type) {
	case float64:
		x = v
	case int64:
		x = float64(v)
	default:
		return true
	}
	return (f.low == nil || x >= *f.low) && (f.above == nil || x > *f.above) && (f.high == nil || x <= *f.high)
}

// parseBytes reads 1048576, 1MiB, 1.5GB and the like.
func parseBytes(text string) (any, error) {
	units := map[string]float64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	digits := strings.TrimRight(text, "BkKMGTi ")
	unit, ok := units[strings.TrimSpace(text[len(digits):])]
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || !(v >= 0) || v*unit > 1<<60 {
		return nil, errForm
	}
	return int64(v * unit), nil
}

// parseSpan reads seconds, or 1h30m and the like; the result is in seconds.
func parseSpan(text string) (any, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		var d time.Duration
		if d, err = time.ParseDuration(text); err != nil {
			return nil, errForm
		}
		v = d.Seconds()
	}
	if !(v >= 0) || v > 1e9 {
		return nil, errForm
	}
	return v, nil
}

// form says in words what a value must be.
func form(f field) string {
	switch f.kind {
	case kindText, kindTexts:
		return "a text"
	case kindNumber, kindNumbers, kindWhole:
		text := "a number"
		if f.kind == kindWhole {
			text = "a whole number"
		}
		switch {
		case f.low != nil && f.high != nil && *f.high < 1<<40:
			return fmt.Sprintf("%s from %g to %.10g", text, *f.low, *f.high)
		case f.low != nil:
			return fmt.Sprintf("%s of %g or more", text, *f.low)
		case f.above != nil && f.high != nil:
			return fmt.Sprintf("%s above %g and at most %g", text, *f.above, *f.high)
		case f.above != nil:
			return fmt.Sprintf("%s above %g", text, *f.above)
		}
		return text
	case kindSeed:
		return "a whole number from 0 to 2^64−1"
	case kindBool:
		return "true or false"
	case kindChoice:
		return strings.Join(f.values, ", ")
	case kindBytes:
		return "a number of bytes, such as 4GiB"
	case kindSpan:
		return "a length of time, such as 30m, or seconds"
	default:
		return "another value"
	}
}
