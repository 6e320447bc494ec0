package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ucan/runtime/onnx"
)

// file is an ONNX file that was read.
type file struct {
	path   string
	bytes  int64
	sha256 string // of the file, or of all its files where weights lie in others
	m      *onnx.Model
}

// readFile reads and hashes an ONNX file, tensors in other files of its folder
// included.
func readFile(path string) (*file, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read model: %w", err)
	case info.IsDir():
		return nil, declared("%s is a folder; give the ONNX file in it", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read model %s: not a regular file; give an ONNX file", path)
	}
	limits := onnx.DefaultLimits()
	if info.Size() > limits.ModelBytes {
		return nil, fmt.Errorf("read model %s: %w; keep the weights in external data", path, onnx.ErrLimit)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	m, err := onnx.ParseLimited(b, limits)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w; give a complete ONNX file", path, err)
	}
	sum := sha256.Sum256(b)
	f := &file{path: path, bytes: int64(len(b)), sha256: hex.EncodeToString(sum[:]), m: m}
	if len(m.ExternalTensors()) == 0 {
		return f, nil
	}
	if f.m, err = m.LoadExternal(filepath.Dir(path), limits); err != nil {
		return nil, fmt.Errorf("read model %s: %w; keep its data files beside it", path, err)
	}
	// The file and the model with everything read in: any change to any file shows.
	all, err := f.m.Marshal()
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", path, err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "ucan.model/1\n%s\n%x\n", f.sha256, sha256.Sum256(all))
	f.bytes, f.sha256 = int64(len(all)), hex.EncodeToString(h.Sum(nil))
	return f, nil
}

// stem returns a file's name without folder and extension.
func stem(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// base returns a path's last element, "" for no path.
func base(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}
