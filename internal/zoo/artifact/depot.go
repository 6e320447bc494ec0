package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/internal/redact"
	"ucan/runtime/files"
)

// Depot holds contents by their hash for all machines of a run: a [Folder] or a [Bucket].
type Depot interface {
	// Open returns the content of r, not yet verified. The error matches [ErrNotFound] when the
	// depot has none.
	Open(ctx context.Context, r Ref) (io.ReadCloser, error)
	// Has says whether the depot has content of the hash and size of r.
	Has(ctx context.Context, r Ref) (bool, error)
	// Put stores the content of r, exactly r.Bytes of it; other readers see it whole or not at all.
	Put(ctx context.Context, r Ref, content io.Reader) error
}

// OpenDepot opens s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME], or a shared folder. It asks
// nothing of a network.
func OpenDepot(location string) (Depot, error) {
	if strings.HasPrefix(location, "s3://") {
		return openBucket(location)
	}
	if scheme, _, ok := strings.Cut(location, "://"); ok {
		return nil, fmt.Errorf("open the artifacts %q: unknown kind of store %q: give a shared folder, or s3://BUCKET/PREFIX?endpoint=URL", redact.Address(location), scheme)
	}
	return NewFolder(location), nil
}

// key is the name of a content in a depot. The first two digits keep folders small.
func key(r Ref) string { return "sha256/" + r.SHA256[:2] + "/" + r.SHA256 }

// Folder is a depot in a folder, such as a network mount.
type Folder struct{ dir string }

var _ Depot = Folder{}

// NewFolder returns the depot at dir, which is made when something is put into it.
func NewFolder(dir string) Folder { return Folder{dir: dir} }

func (f Folder) path(r Ref) string { return filepath.Join(f.dir, filepath.FromSlash(key(r))) }

// Open implements [Depot].
func (f Folder) Open(_ context.Context, r Ref) (io.ReadCloser, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	file, err := files.Open(f.path(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %q (%.12s…) of the folder %q: %w", r.Name, r.SHA256, f.dir, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q of the folder %q: %w", r.Name, f.dir, withoutPath(err))
	}
	return file, nil
}

// Has implements [Depot].
func (f Folder) Has(_ context.Context, r Ref) (bool, error) {
	if err := r.Validate(); err != nil {
		return false, err
	}
	info, err := os.Stat(f.path(r))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %q in the folder %q: %w", r.Name, f.dir, withoutPath(err))
	}
	return info.Size() == r.Bytes, nil
}

// Put implements [Depot].
func (f Folder) Put(ctx context.Context, r Ref, content io.Reader) error {
	if err := r.Validate(); err != nil {
		return err
	}
	path := f.path(r)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("put %q into the folder %q: %w; check that it exists and can be written", r.Name, f.dir, withoutPath(err))
	}
	return atomicfile.Write(path, func(w io.Writer) error { return copyVerified(ctx, w, content, r) })
}
