package declare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseFix reads the values of the --fix flag, each NAME=VALUE.
func ParseFix(flags []string) (map[string]string, error) {
	fix := make(map[string]string, len(flags))
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("fix %q is not NAME=VALUE", f)
		}
		if _, err := Values(value); err != nil {
			return nil, fmt.Errorf("fix %q: %w", name, err)
		}
		if _, twice := fix[name]; twice {
			return nil, fmt.Errorf("fix %q is given twice; give all its values in one, separated by commas", name)
		}
		fix[name] = value
	}
	return fix, nil
}

// Values reads numbers or booleans separated by commas.
func Values(value string) ([]float64, error) {
	parts := strings.Split(strings.Trim(value, "[] "), ",")
	out := make([]float64, len(parts))
	for i, p := range parts {
		switch p = strings.TrimSpace(p); strings.ToLower(p) {
		case "true":
			out[i] = 1
		case "false":
			out[i] = 0
		default:
			v, err := strconv.ParseFloat(p, 64)
			if err != nil || math.IsNaN(v) {
				return nil, fmt.Errorf("%q is not a number, true or false", p)
			}
			out[i] = v
		}
	}
	return out, nil
}
