package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ucan/runtime/files"
)

// maxFiles bounds the files of one folder.
const maxFiles = 5_000_000

// Describe returns a file with those beside it that it refers to, or a folder with all files
// below it that keep (nil: all) accepts. Links to files are followed, links to folders refused.
func Describe(ctx context.Context, path string, besides []string, keep func(name string) bool) (Item, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Item{}, fmt.Errorf("read %q: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Item{}, fmt.Errorf("read %q: %w", path, withoutPath(err))
	}
	item := Item{Entry: filepath.Base(path), Origin: filepath.Dir(path)}
	names := append([]string{item.Entry}, besides...)
	if info.IsDir() {
		if names, err = filesBelow(path, keep); err != nil {
			return Item{}, fmt.Errorf("read the folder %q: %w", path, err)
		}
		for i := range names { // a copy keeps the folder's name, which records show
			names[i] = item.Entry + "/" + names[i]
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		ref, err := describeFile(ctx, item.Origin, name)
		if err != nil {
			return Item{}, err
		}
		item.Files = append(item.Files, ref)
	}
	return item, nil
}

func filesBelow(dir string, keep func(string) bool) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if keep != nil && !keep(name) {
			return nil
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			return fmt.Errorf("%q is a link to a folder; name that folder itself", name)
		case !info.Mode().IsRegular():
			return nil // a socket or the like
		case len(names) == maxFiles:
			return fmt.Errorf("it holds more than %d files; pack them into an archive", maxFiles)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

func describeFile(ctx context.Context, dir, name string) (Ref, error) {
	ref := Ref{Name: name, SHA256: zeroHash}
	if err := ref.Validate(); err != nil {
		return Ref{}, err
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	sum, size, err := hashFile(ctx, path)
	if err != nil {
		return Ref{}, fmt.Errorf("read %q: %w", path, withoutPath(err))
	}
	return Ref{Name: name, SHA256: sum, Bytes: size}, nil
}

// hashFile reads a file to its end; ctx ends it early.
func hashFile(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := files.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	size, err = io.Copy(h, files.WithContext(ctx, f))
	if err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// withoutPath drops the path of a file system's error, which callers add.
func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
