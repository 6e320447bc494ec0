package onnx

import (
	"fmt"
	"io"
	"path/filepath"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// Read reads the model at path under [DefaultLimits], external data
// included.
func Read(path string) (*Model, error) { return ReadLimited(path, DefaultLimits()) }

// ReadLimited is [Read] under the given limits.
func ReadLimited(path string, lim Limits) (*Model, error) {
	if err := lim.Validate(); err != nil {
		return nil, err
	}
	b, err := readFile(path, lim.ModelBytes)
	if err != nil {
		return nil, fmt.Errorf("read model %q: %w", path, err)
	}
	m, err := ParseLimited(b, lim)
	if err != nil {
		return nil, fmt.Errorf("read model %q: %w", path, err)
	}
	m, err = m.LoadExternal(filepath.Dir(path), lim)
	if err != nil {
		return nil, fmt.Errorf("read model %q: %w", path, err)
	}
	return m, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrLimit, st.Size(), limit)
	}
	b := make([]byte, st.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return b, nil
}

// Write writes the model to path. The file appears complete or not at all:
// it is written under another name in the same folder, synced and renamed.
func (m *Model) Write(path string) error {
	b, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("write model %q: %w", path, err)
	}
	return atomicfile.WriteBytes(path, b)
}
