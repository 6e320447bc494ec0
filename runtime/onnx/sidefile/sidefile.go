// Package sidefile opens files that a user did not name: those that lie beside
// a file that was named, or that it refers to, such as a model's external data,
// its declaration and the files of a bundle.
//
// Such a file may have come with a folder from anywhere, so it may not lead out
// of that folder, by its name or by symbolic links, and must be a regular file.
// One layout has links on purpose: a model hub's cache keeps the content of all
// revisions in one folder of blobs,
//
//	models--ORGANISATION--NAME/blobs/3f2a…
//	models--ORGANISATION--NAME/snapshots/REVISION/onnx/model.onnx → ../../../blobs/3f2a…
//
// Below snapshots/REVISION, links may lead to the blobs and snapshots of the
// same root, and nowhere else.
package sidefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/runtime/files"
)

// ErrOutside is the error, possibly wrapped, for a name or a link that leads out of
// the folder.
var ErrOutside = errors.New("it leads out of its folder")

// The folders of a hub's cache.
const (
	snapshots = "snapshots"
	blobs     = "blobs"
)

// Folder is a folder whose files are opened as the package describes.
type Folder struct {
	root   *os.Root
	top    string // the root's path, without links: the folder itself, or the hub's root above it
	prefix string // of names below the root, "." without a hub
}

// Open opens the folder at dir. Links in dir itself are followed: the user named
// it.
func Open(dir string) (*Folder, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	top, prefix := hubRoot(real)
	root, err := files.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root, top: top, prefix: prefix}, nil
}

// Close ends the use of the folder; open files stay open.
func (f *Folder) Close() error { return f.root.Close() }

// hubRoot splits the path of a folder in a hub's snapshot into the hub's root
// and the rest; any other folder is its own root.
func hubRoot(dir string) (top, prefix string) {
	below := filepath.Base(dir) // at least a revision
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		parent := filepath.Dir(at)
		if parent == at {
			return dir, "."
		}
		if filepath.Base(at) == snapshots {
			if info, err := os.Lstat(filepath.Join(parent, blobs)); err == nil && info.IsDir() {
				return parent, filepath.Join(snapshots, below)
			}
		}
		below = filepath.Join(filepath.Base(at), below)
	}
}

// Stat describes the regular file of that name, a path relative to the folder.
// The error matches fs.ErrNotExist, [ErrOutside] or files.ErrIrregular.
func (f *Folder) Stat(name string) (fs.FileInfo, error) {
	if name == "" || !filepath.IsLocal(name) {
		return nil, ErrOutside
	}
	path := filepath.Join(f.prefix, name)
	info, err := f.root.Stat(path)
	switch {
	case err != nil && strings.Contains(err.Error(), "escapes"): // os.Root exports no error for it
		return nil, ErrOutside
	case err != nil:
		return nil, files.WithoutPath(err)
	case !info.Mode().IsRegular():
		return nil, files.ErrIrregular
	}
	return info, f.inHub(path)
}

// inHub makes sure that a file of a hub lies in its blobs or snapshots once all
// links are followed; a hub's root may hold other things.
func (f *Folder) inHub(path string) error {
	if f.prefix == "." {
		return nil
	}
	real, err := filepath.EvalSymlinks(filepath.Join(f.top, path))
	if err != nil {
		return files.WithoutPath(err)
	}
	inside, err := filepath.Rel(f.top, real)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(inside, string(filepath.Separator))
	if !slices.Contains([]string{blobs, snapshots}, first) {
		return ErrOutside
	}
	return nil
}

// Open opens a regular file for reading. Errors are those of [Folder.Stat].
func (f *Folder) Open(name string) (*os.File, error) {
	if _, err := f.Stat(name); err != nil {
		return nil, err
	}
	file, err := files.OpenIn(f.root, filepath.Join(f.prefix, name))
	if err != nil {
		return nil, files.WithoutPath(err)
	}
	return file, nil
}

// ReadFile reads a regular file of at most limit bytes.
func (f *Folder) ReadFile(name string, limit int64) (data []byte, err error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return files.ReadAll(file, limit)
}

// Check returns the error that opening the file at path, as one of its own
// folder, would give; nil when it may be opened.
func Check(path string) (err error) {
	folder, err := Open(filepath.Dir(path))
	if err != nil {
		return files.WithoutPath(err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	_, err = folder.Stat(filepath.Base(path))
	return err
}
