package certificate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"ucan/internal/atomicfile"
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
	fields := []*Field{c.Noise.SigmaField, c.Noise.MuField}
	for _, r := range c.Regions {
		fields = append(fields, r.SigmaField)
	}
	if c.Selector != nil {
		fields = append(fields, c.Selector.Noise.SigmaField, c.Selector.Noise.MuField)
	}
	for _, f := range fields {
		if f == nil || f.File == "" || f.Values == nil {
			continue
		}
		if err := d.saveField(f, c.Input.Shape); err != nil {
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
	return atomicfile.WriteBytes(path, EncodeNpy(f.Values, shape))
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
	if !info.Mode().IsRegular() || info.Size() > int64(4*dim+maxNpyHeader) {
		return nil, fmt.Errorf("not a regular file of %d float32 values", dim)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, int64(4*dim+maxNpyHeader)+1))
	if err != nil {
		return nil, err
	}
	return DecodeNpy(data, dim)
}

const (
	npyMagic     = "\x93NUMPY\x01\x00"
	maxNpyHeader = 10 + 65535
)

// EncodeNpy returns values as a version 1.0 .npy file in C order. A shape that
// does not hold the values is replaced by their number.
func EncodeNpy(values []float32, shape []int) []byte {
	product := 1
	for _, n := range shape {
		product *= n
	}
	if product != len(values) || len(shape) == 0 {
		shape = []int{len(values)}
	}
	var dims strings.Builder
	for _, n := range shape {
		dims.WriteString(strconv.Itoa(n) + ", ")
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", dims.String())
	// The data begins at a multiple of 64, the header ends in a newline.
	pad := 63 - (len(npyMagic)+2+len(header))%64
	header += strings.Repeat(" ", pad) + "\n"
	out := make([]byte, 0, len(npyMagic)+2+len(header)+4*len(values))
	out = append(out, npyMagic...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(out, header...)
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

var (
	npyDescr   = regexp.MustCompile(`'descr':\s*'<f4'`)
	npyFortran = regexp.MustCompile(`'fortran_order':\s*False`)
	npyShape   = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// DecodeNpy reads a version 1.0 .npy file of dim little-endian float32 values in
// C order, of any shape.
func DecodeNpy(data []byte, dim int) ([]float32, error) {
	body, ok := bytes.CutPrefix(data, []byte(npyMagic))
	if !ok || len(body) < 2 {
		return nil, errors.New("not a version 1.0 .npy file")
	}
	size := int(binary.LittleEndian.Uint16(body))
	if body = body[2:]; len(body) < size {
		return nil, errors.New("truncated .npy header")
	}
	header := body[:size]
	shape := npyShape.FindSubmatch(header)
	if shape == nil || !npyDescr.Match(header) || !npyFortran.Match(header) {
		return nil, errors.New("not little-endian float32 values in C order")
	}
	product := 1
	for part := range strings.SplitSeq(string(shape[1]), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > dim/product {
			return nil, fmt.Errorf("shape (%s) does not hold %d values", shape[1], dim)
		}
		product *= n
	}
	if body = body[size:]; product != dim || len(body) != 4*dim {
		return nil, fmt.Errorf("%d bytes of shape (%s) where %d float32 values are wanted", len(body), shape[1], dim)
	}
	values := make([]float32, dim)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return values, nil
}
