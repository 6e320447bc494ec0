package dataset

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Spec is a parsed source specification, "kind:path[,path…][?key=value&…]".
type Spec struct {
	// Kind is what stands before the colon, in lower case.
	Kind string
	// Paths are the files or the folder after the colon, in order.
	Paths []string
	// Params are the options after the question mark.
	Params map[string]string
}

// ParseSpec splits and checks a specification without touching the disk.
// A leading "~/" of a path is the home folder; in paths and values, %XX stands
// for a byte, so that a comma or a question mark can be part of a name.
// Errors match [ErrSpec].
func ParseSpec(text string) (Spec, error) {
	body, query, hasQuery := cutLast(text, '?')
	kind, rest, hasPath := strings.Cut(body, ":")
	f, err := findForm(kind)
	if err != nil {
		return Spec{}, fmt.Errorf("data source %q: %w", text, err)
	}
	spec := Spec{Kind: f.name, Params: map[string]string{}}
	if hasPath {
		for part := range strings.SplitSeq(rest, ",") {
			p, err := cleanPath(part)
			if err != nil {
				return Spec{}, fmt.Errorf("data source %q: %w", text, err)
			}
			spec.Paths = append(spec.Paths, p)
		}
	}
	if n := len(spec.Paths); n < f.minPaths || n > f.maxPaths {
		return Spec{}, specErrorf("data source %q: %d paths given; write it as %s", text, n, f.usage())
	}
	if !hasQuery {
		return spec, nil
	}
	allowed := f.keyNames()
	for pair := range strings.SplitSeq(query, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || value == "" {
			return Spec{}, specErrorf("data source %q: %q is not key=value; write it as %s", text, pair, f.usage())
		}
		if !slices.Contains(allowed, key) {
			return Spec{}, specErrorf("data source %q: unknown key %q; %s takes %s", text, key, f.name, strings.Join(allowed, ", "))
		}
		if _, twice := spec.Params[key]; twice {
			return Spec{}, specErrorf("data source %q: key %q is given twice; keep one", text, key)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return Spec{}, specErrorf("data source %q: value of %q: %w; write a literal %% as %%25", text, key, err)
		}
		spec.Params[key] = decoded
	}
	return spec, nil
}

func cleanPath(raw string) (string, error) {
	p, err := url.PathUnescape(raw)
	if err != nil {
		return "", specErrorf("path %q: %w; write a literal %% as %%25", raw, err)
	}
	if p == "" {
		return "", specErrorf("an empty path; name a file or folder after the colon")
	}
	if strings.ContainsRune(p, 0) {
		return "", specErrorf("path %q holds a NUL byte", p)
	}
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", specErrorf("path %q: %w; write the path in full", raw, err)
		}
		p = filepath.Join(home, rest)
	}
	return p, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// intParam reads an integer option in [low, high]; absent, it is def.
func (s Spec) intParam(key string, def, low, high int) (int, error) {
	text, ok := s.Params[key]
	if !ok {
		return def, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > high {
		return 0, specErrorf("option %s=%s: want an integer from %d to %d", key, text, low, high)
	}
	return v, nil
}

// label names a path in a record: its last element, without the ending of a compressed file.
func (s Spec) label(i int) string {
	if i >= len(s.Paths) {
		return ""
	}
	base := filepath.Base(filepath.Clean(s.Paths[i]))
	if base == "." || base == string(filepath.Separator) || base == ".." {
		if abs, err := filepath.Abs(s.Paths[i]); err == nil {
			base = filepath.Base(abs)
		}
	}
	for _, ending := range []string{".gz", ".bz2", ".xz"} {
		if short, ok := strings.CutSuffix(base, ending); ok && short != "" {
			return short
		}
	}
	return base
}
