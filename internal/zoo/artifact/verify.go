package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ucan/runtime/files"
)

// copyVerified copies exactly the content of r; any other is [ErrMismatch], found out at its last
// byte at the latest.
func copyVerified(ctx context.Context, w io.Writer, content io.Reader, r Ref) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), files.WithContext(ctx, io.LimitReader(content, r.Bytes+1)))
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); n != r.Bytes || sum != r.SHA256 {
		return mismatch(r, sum, n)
	}
	return nil
}

// mismatch says how a content differs; sum is that of its first bytes when it is too long.
func mismatch(r Ref, sum string, size int64) error {
	if size != r.Bytes {
		return fmt.Errorf("%q: %w: %d bytes were planned and others are there; restore the file, or plan the run anew", r.Name, ErrMismatch, r.Bytes)
	}
	return fmt.Errorf("%q: %w: SHA-256 %.12s… was planned and %.12s… is there; restore the file, or plan the run anew", r.Name, ErrMismatch, r.SHA256, sum)
}

// verifyFile checks a file. The error matches os.ErrNotExist when it is absent, [ErrMismatch]
// when it is another.
func verifyFile(ctx context.Context, dir string, r Ref) error {
	if err := r.Validate(); err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(r.Name))
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	if info.Size() != r.Bytes {
		return fmt.Errorf("read %q: %w", path, mismatch(r, "", info.Size()))
	}
	sum, size, err := hashFile(ctx, path)
	if err != nil {
		return fmt.Errorf("read %q: %w", path, withoutPath(err))
	}
	if sum != r.SHA256 || size != r.Bytes {
		return fmt.Errorf("read %q: %w", path, mismatch(r, sum, size))
	}
	return nil
}

// Publish verifies the files of the items and puts those that a depot lacks into it. done (nil
// for none) is told of each.
func Publish(ctx context.Context, depot Depot, items []Item, done func(Ref)) error {
	for _, item := range items {
		for _, r := range item.Files {
			has, err := depot.Has(ctx, r)
			if err != nil {
				return err
			}
			if !has {
				if err := publishFile(ctx, depot, item.Origin, r); err != nil {
					return err
				}
			}
			if done != nil {
				done(r)
			}
		}
	}
	return nil
}

func publishFile(ctx context.Context, depot Depot, dir string, r Ref) (err error) {
	f, err := files.Open(filepath.Join(dir, filepath.FromSlash(r.Name)))
	if err != nil {
		return fmt.Errorf("publish %q: %w", r.Name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return depot.Put(ctx, r, f)
}
