// Package dl asks the dynamic loader for shared objects: whether they load,
// from where, and what each needs. onnxruntime loads its providers lazily and
// drops the loader's reason, so the question has to be asked beside it.
package dl

import (
	"debug/elf"
	"fmt"
)

// Needed lists the shared objects that an ELF library names as its direct
// dependencies (DT_NEEDED), in order.
func Needed(path string) (_ []string, err error) {
	defer func() {
		// debug/elf is not hardened against damaged files.
		if r := recover(); r != nil {
			err = fmt.Errorf("read %q: damaged ELF file: %v", path, r)
		}
	}()
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	defer func() { _ = f.Close() }() // read only
	return f.ImportedLibraries()
}
