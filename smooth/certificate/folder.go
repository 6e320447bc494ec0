package certificate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"ucan/internal/atomicfile"
	"ucan/internal/npy"
)

// Loader gives the values of fields that lie outside a certificate.
type Loader interface {
	// Load returns the values of f, a field of dim values, after checking them
	// against its hash.
	Load(f *Field, dim int) ([]float32, error)
}

// Folder loads fields from, and saves them to, the folder of a certificate file.
// Its methods may be called from several goroutines.
type Folder struct {
	path string

	mu     sync.Mutex // guards the cache of the field last loaded
	hash   string
	values []float32
}

var _ Loader = (*Folder)(nil)

// NewFolder returns the Folder at path, which is opened when first used.
func NewFolder(path string) *Folder { return &Folder{path: path} }

// Save writes the fields of c that are too large to lie inside it, each as a
// .npy file (float32, little-endian, of the input's shape) named by its hash. A
// file that is there already is left alone. Files appear whole or not at all.
func (d *Folder) Save(c *Certificate) error {
	for _, f := range c.Fields() {
		if f.Values == nil {
			continue
		}
		if err := d.saveField(f, c.Input.Shape); err != nil {
			return fmt.Errorf("certificate: save field %s: %w", f.File, err)
		}
	}
	return nil
}

// Copy saves the fields of c, which lie in the folder from, in d.
func (d *Folder) Copy(c *Certificate, from *Folder) error {
	for _, f := range c.Fields() {
		values, err := from.Load(f, c.Input.Dim())
		if err != nil {
			return err
		}
		loaded := Field{SHA256: f.SHA256, File: f.File, Values: values}
		if err = d.saveField(&loaded, c.Input.Shape); err != nil {
			return fmt.Errorf("certificate: save field %s: %w", f.File, err)
		}
	}
	return nil
}

func (d *Folder) saveField(f *Field, shape []int) error {
	path := filepath.Join(d.path, f.File)
	if _, serr := os.Lstat(path); serr == nil {
		return nil
	} else if !errors.Is(serr, fs.ErrNotExist) {
		return serr
	}
	return atomicfile.WriteBytes(path, npy.Encode(f.Values, shape))
}

// Load implements Loader. It reads only regular files of the folder itself.
func (d *Folder) Load(f *Field, dim int) ([]float32, error) {
	if f.Values != nil {
		return f.Values, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash == f.SHA256 && len(d.values) == dim {
		return d.values, nil
	}
	if !isHash(f.SHA256) || f.File != f.SHA256+fileSuffix {
		return nil, fmt.Errorf("certificate: field file %.80q is not named by its hash", f.File)
	}
	values, err := d.loadField(f.File, dim)
	if err != nil {
		return nil, fmt.Errorf("certificate: read field %s: %w", f.File, err)
	}
	if hashValues(values) != f.SHA256 {
		return nil, fmt.Errorf("certificate: field %s holds other values than its hash says; restore the file", f.File)
	}
	d.hash, d.values = f.SHA256, values
	return values, nil
}

func (d *Folder) loadField(name string, dim int) (values []float32, err error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > int64(4*dim+npy.MaxOverhead) {
		return nil, fmt.Errorf("not a regular file of %d float32 values", dim)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, int64(4*dim+npy.MaxOverhead)+1))
	if err != nil {
		return nil, err
	}
	return npy.Decode(data, dim)
}
