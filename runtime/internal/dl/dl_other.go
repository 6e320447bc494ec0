//go:build !linux

package dl

import "errors"

// Supported says whether Open can load anything on this system.
const Supported = false

// Open is not needed outside Linux: there the loader finds what lies beside a
// provider or on the search path by itself.
func Open(string) (string, error) {
	return "", errors.New("not supported on this system")
}
