package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ucan/models/declare"
	"ucan/runtime/files"
	"ucan/runtime/onnx"
)

// file is an ONNX file that was read.
type file struct {
	bytes  int64
	sha256 string // of the file, or of all its files where weights lie in others
	m      *onnx.Model

	info   os.FileInfo // of the file before it was read; nil for bytes
	places onnx.Places // of its large weights; nil once nobody asks for them any more
}

// readFile reads and hashes an ONNX file, tensors in other files of its folder
// included.
func readFile(path string) (*file, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read model: %w; check the path", files.WithoutPath(err))
	case info.IsDir():
		if _, err = os.Stat(filepath.Join(path, "saved_model.pb")); err == nil {
			return nil, declare.Errorf("it is a TensorFlow SavedModel; export it to ONNX first (docs/export.md says how)")
		}
		return nil, declare.Errorf("it is a folder; give the ONNX file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New("read model: not a regular file; give an ONNX file")
	}
	limits := onnx.DefaultLimits()
	if info.Size() > limits.ModelBytes {
		return nil, fmt.Errorf("read model: %w; keep the weights in external data", onnx.ErrLimit)
	}
	b, err := files.Read(path, limits.ModelBytes)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", files.WithoutPath(err))
	}
	f, err := parseFile(b, limits)
	if err != nil {
		return nil, err
	}
	f.info = info
	if len(f.m.ExternalTensors()) == 0 {
		return f, nil
	}
	f.places = nil
	if f.m, err = f.m.LoadExternal(filepath.Dir(path), limits); err != nil {
		return nil, fmt.Errorf("read model: %w; keep its data files beside it", err)
	}
	// The file and the model with everything read in: any change to any file shows.
	all, err := f.m.Marshal()
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "ucan.model/1\n%s\n%x\n", f.sha256, sha256.Sum256(all))
	f.bytes, f.sha256 = int64(len(all)), hex.EncodeToString(h.Sum(nil))
	return f, nil
}

// parseFile reads and hashes the bytes of an ONNX file.
func parseFile(b []byte, limits onnx.Limits) (*file, error) {
	m, places, err := onnx.ParseInPlace(b, limits)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	sum := sha256.Sum256(b)
	return &file{bytes: int64(len(b)), sha256: hex.EncodeToString(sum[:]), m: m, places: places}, nil
}

// parseAlone is parseFile for bytes that come without a folder.
func parseAlone(b []byte) (*file, error) {
	f, err := parseFile(b, onnx.DefaultLimits())
	if err == nil && len(f.m.ExternalTensors()) > 0 {
		err = errors.New("read model: its weights lie in other files; open it by its path")
	}
	return f, err
}

// base returns a path's last element, "" for no path.
func base(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}
