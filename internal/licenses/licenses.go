// Package licenses holds the licences of everything that is linked into the command.
package licenses

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
)

// packed is written by "go test ./internal/licenses -update", which also checks that it is
// complete.
//
//go:embed licenses.txt.gz
var packed []byte

// Text returns the licences: equal ones once, each under the modules that have it.
func Text() (text string, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", fmt.Errorf("unpack the licences: %w", err)
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	b, err := io.ReadAll(z)
	if err != nil {
		return "", fmt.Errorf("unpack the licences: %w", err)
	}
	return string(b), nil
}
