// Package artifact moves models and data between machines by their content: every file is addressed by its SHA-256,
// fetched from where it lies (its own folder, a shared folder, an S3-compatible object store), verified before use and
// kept in a cache of limited size.
package artifact

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrMismatch marks content that is not what its hash says: a file that was replaced or damaged since the run was
// planned. Nothing is computed from such a file.
var ErrMismatch = errors.New("the content is not that of the run")

// ErrNotFound marks content that none of the places has.
var ErrNotFound = errors.New("no such artifact")

// Ref is one file by its content.
type Ref struct {
	// Name is the file's name within its tree, slash-separated and relative, such as "resnet.onnx" or "t10k/labels.gz".
	Name string `json:"name"`
	// SHA256 is the hash of the bytes, in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// Bytes is the file's size.
	Bytes int64 `json:"bytes"`
}

// Validate reports a reference that could not be fetched or would leave its folder.
func (r Ref) Validate() error {
	if len(r.SHA256) != 64 || strings.Trim(r.SHA256, "0123456789abcdef") != "" {
		return fmt.Errorf("artifact %q: its hash %q is no SHA-256 in lower-case hexadecimal", r.Name, r.SHA256)
	}
	if r.Bytes < 0 {
		return fmt.Errorf("artifact %q: its size %d is negative", r.Name, r.Bytes)
	}
	if r.Name == "" || r.Name != path.Clean(r.Name) || path.IsAbs(r.Name) || r.Name == ".." || strings.HasPrefix(r.Name, "../") || strings.ContainsAny(r.Name, "\\\x00") {
		return fmt.Errorf("artifact %q: the name must be a relative path that stays in its folder", r.Name)
	}
	return nil
}

// Tree is a set of files that belong together: a model with its external tensors, the files of a data source, a bundle.
type Tree []Ref

// Bytes is the size of all files.
func (t Tree) Bytes() int64 {
	var n int64
	for _, r := range t {
		n += r.Bytes
	}
	return n
}
