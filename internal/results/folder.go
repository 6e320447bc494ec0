package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"ucan/internal/atomicfile"
	"ucan/internal/npy"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// Folder loads fields from, and saves them to, the folder of a certificate file.
// Its methods may be called from several goroutines.
type Folder struct {
	path string

	mu     sync.Mutex // guards the cache of the field last loaded
	hash   string
	values []float32
}

var _ certificate.Loader = (*Folder)(nil)

// newFolder returns the Folder at path, which is opened when first used.
func newFolder(path string) *Folder { return &Folder{path: path} }

// Beside returns the Folder in which the file at path lies.
func Beside(path string) *Folder { return newFolder(filepath.Dir(path)) }

// Save writes the fields of c that are too large to lie inside it, each as a
// .npy file (float32, little-endian, of the input's shape) named by its hash. A
// file that is there already is left alone. Files appear whole or not at all.
func (d *Folder) Save(c *certificate.Certificate) error {
	return d.copy(c, func(f *certificate.Field) ([]float32, error) { return f.Values, nil })
}

// Copy saves the fields of c, which lie in the folder from, in d.
func (d *Folder) Copy(c *certificate.Certificate, from *Folder) error {
	return d.copy(c, func(f *certificate.Field) ([]float32, error) { return from.Load(f, c.Input.Dim()) })
}

// copy saves the fields of c with the values that the function gives.
func (d *Folder) copy(c *certificate.Certificate, valuesOf func(*certificate.Field) ([]float32, error)) error {
	for _, f := range c.Fields() {
		path := filepath.Join(d.path, f.File)
		_, err := os.Lstat(path)
		if err == nil {
			continue
		}
		var values []float32
		if errors.Is(err, fs.ErrNotExist) {
			values, err = valuesOf(f)
		}
		if err == nil && values != nil { // a failed certificate may come without them
			err = atomicfile.WriteBytes(path, npy.Encode(values, c.Input.Shape))
		}
		if err != nil {
			return fmt.Errorf("save field %s: %w", f.File, err)
		}
	}
	return nil
}

// Load implements certificate.Loader. It reads only regular files of the folder itself.
func (d *Folder) Load(f *certificate.Field, dim int) ([]float32, error) {
	if f.Values != nil {
		return f.Values, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash == f.SHA256 && len(d.values) == dim {
		return d.values, nil
	}
	if f.File != f.SHA256+".npy" {
		return nil, fmt.Errorf("field file %.80q is not named by its hash", f.File)
	}
	values, err := d.read(f.File, dim)
	if err != nil {
		var pathErr *fs.PathError // which names the file once more
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("read field %.80s: %w", f.File, err)
	}
	if certificate.NewField(values).SHA256 != f.SHA256 {
		return nil, fmt.Errorf("field %.80s holds other values than its hash says; restore the file", f.File)
	}
	d.hash, d.values = f.SHA256, values
	return values, nil
}

func (d *Folder) read(name string, dim int) (values []float32, err error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file of %d float32 values", dim)
	}
	file, err := files.OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := files.ReadAll(file, int64(4*dim+npy.MaxOverhead))
	if err != nil {
		return nil, err
	}
	return npy.Decode(data, dim)
}
