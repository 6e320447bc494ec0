// Package artifact moves models and data between machines by their content: every file is addressed
// by its SHA-256, fetched from where it lies (its own folder, a shared folder, an S3-compatible
// object store), verified before use and kept in a cache of limited size.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrMismatch marks a file that was replaced or damaged since the run was planned.
var ErrMismatch = errors.New("the content is not that of the run")

// ErrNotFound marks content that none of the places has.
var ErrNotFound = errors.New("no such artifact")

// Ref is one file by its content.
type Ref struct {
	// Name is relative and slash-separated, within the item's folder, such as "t10k/labels.gz".
	Name string `json:"name"`
	// SHA256 is in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Validate reports a reference that could not be fetched or would leave its folder.
func (r Ref) Validate() error {
	if len(r.SHA256) != 64 || strings.Trim(r.SHA256, "0123456789abcdef") != "" {
		return fmt.Errorf("artifact %q: bad hash %q: it must be a SHA-256 in lower-case hexadecimal", r.Name, r.SHA256)
	}
	if r.Bytes < 0 {
		return fmt.Errorf("artifact %q: its size %d is negative", r.Name, r.Bytes)
	}
	if r.Name == "" || r.Name != path.Clean(r.Name) || path.IsAbs(r.Name) || r.Name == ".." || strings.HasPrefix(r.Name, "../") || strings.ContainsAny(r.Name, "\\\x00") {
		return fmt.Errorf("artifact %q: the name must be a relative path that stays in its folder", r.Name)
	}
	return nil
}

// Item is a file with those that it refers to, such as external tensors, or a folder with its
// files.
type Item struct {
	// Entry is the last element of the user's path.
	Entry string `json:"entry"`
	// Files are the contents, with names relative to Origin, sorted by name.
	Files []Ref `json:"files"`
	// Origin is the folder in which the entry lay when the run was planned; other machines need
	// not have it.
	Origin string `json:"origin,omitempty"`
}

func (t Item) Bytes() int64 {
	var n int64
	for _, r := range t.Files {
		n += r.Bytes
	}
	return n
}

// Hash is the SHA-256, in hexadecimal, of the item's names and contents, wherever they lie.
func (t Item) Hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "ucan.artifact/1\n%q\n", t.Entry)
	for _, r := range t.Files {
		fmt.Fprintf(h, "%q %s %d\n", r.Name, r.SHA256, r.Bytes)
	}
	return hex.EncodeToString(h.Sum(nil))
}
