package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxNPYHeader bounds the header text; numpy itself refuses more than 10,000
	// characters unless asked.
	maxNPYHeader = 1 << 16
	maxDims      = 32
	// maxItemValues bounds the values of one input.
	maxItemValues = 1 << 28
)

// npyArray is an array in NumPy's .npy format, in C order, read on demand.
type npyArray struct {
	b    *blob
	at   int64 // offset of the first value
	kind byte  // 'f' float, 'i' signed, 'u' unsigned or boolean
	size int   // bytes a value
	big  bool  // big-endian
	dims []int
}

// The header is a Python dictionary with these three keys, as numpy writes it.
var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z])(\d{1,2})['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([\d\s,L]*)\)`)
)

// parseNPY reads the header of versions 1 to 3 and checks it against the size.
func parseNPY(b *blob) (npyArray, error) {
	var pre [12]byte
	if err := b.readAt(pre[:10], 0); err != nil {
		return npyArray{}, formatErrorf("npy header: %w; the file is too short", err)
	}
	if string(pre[:6]) != "\x93NUMPY" {
		return npyArray{}, formatErrorf("it does not begin like a .npy file; save it with numpy.save")
	}
	a := npyArray{b: b}
	var length int64
	switch pre[6] {
	case 1:
		length, a.at = int64(binary.LittleEndian.Uint16(pre[8:])), 10
	case 2, 3:
		if err := b.readAt(pre[:], 0); err != nil {
			return npyArray{}, formatErrorf("npy header: %w; the file is truncated", err)
		}
		length, a.at = int64(binary.LittleEndian.Uint32(pre[8:])), 12
	default:
		return npyArray{}, formatErrorf("npy format version %d is unknown; save it with numpy.save", pre[6])
	}
	if length > maxNPYHeader {
		return npyArray{}, formatErrorf("the npy header claims %d bytes, more than %d; the file is damaged", length, maxNPYHeader)
	}
	text := make([]byte, length)
	if err := b.readAt(text, a.at); err != nil {
		return npyArray{}, formatErrorf("npy header: %w; the file is truncated", err)
	}
	a.at += length
	return a, a.parseHeader(string(text))
}

func (a *npyArray) parseHeader(text string) error {
	descr, fortran, shape := npyDescr.FindStringSubmatch(text), npyFortran.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return formatErrorf("the npy header %.80q does not name a plain type, order and shape; save one array of numbers with numpy.save", strings.TrimSpace(text))
	}
	for part := range strings.SplitSeq(shape[1], ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "L")
		if part == "" {
			continue
		}
		v, err := strconv.Atoi(part)
		if err != nil || len(a.dims) == maxDims {
			return formatErrorf("the npy header's shape (%.80s) is impossible", shape[1])
		}
		a.dims = append(a.dims, v)
	}
	size, err := strconv.Atoi(descr[3])
	if err != nil {
		return formatErrorf("the npy header's type %q is not a number type", descr[0])
	}
	a.size, a.big = size, descr[1] == ">"
	code := descr[2] + descr[3]
	switch code {
	case "f2", "f4", "f8":
		a.kind = 'f'
	case "i1", "i2", "i4", "i8":
		a.kind = 'i'
	case "u1", "u2", "u4", "u8", "b1":
		a.kind = 'u'
	default:
		return formatErrorf("arrays of type %s are not supported; convert it with x.astype(numpy.float32)", code)
	}
	if fortran[1] == "True" && len(a.dims) > 1 {
		return formatErrorf("the array is in Fortran order; save numpy.ascontiguousarray(x)")
	}
	total := int64(a.size)
	for _, d := range a.dims {
		if d == 0 {
			return formatErrorf("the array of shape %v holds no value", a.dims)
		}
		if total > a.b.size/int64(d) {
			return a.tooShort()
		}
		total *= int64(d)
	}
	if total > a.b.size-a.at {
		return a.tooShort()
	}
	return nil
}

func (a *npyArray) tooShort() error {
	return formatErrorf("the npy header promises shape %v, the file holds %d bytes after it: it is truncated, fetch it again", a.dims, a.b.size-a.at)
}

// values decodes count values from number first on.
func (a *npyArray) values(first, count int64) ([]float64, error) {
	raw := make([]byte, count*int64(a.size))
	if err := a.b.readAt(raw, a.at+first*int64(a.size)); err != nil {
		return nil, err
	}
	out := make([]float64, count)
	for i := range out {
		out[i] = a.decode(raw[i*a.size:][:a.size])
	}
	return out, nil
}

func (a *npyArray) decode(raw []byte) float64 {
	if a.big {
		slices.Reverse(raw)
	}
	var bits uint64
	for i := len(raw) - 1; i >= 0; i-- {
		bits = bits<<8 | uint64(raw[i])
	}
	switch {
	case a.kind == 'u':
		return float64(bits)
	case a.kind == 'i':
		shift := 64 - 8*a.size
		return float64(int64(bits<<shift) >> shift)
	case a.size == 8:
		return math.Float64frombits(bits)
	case a.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	}
	return halfToFloat(uint16(bits))
}

// halfToFloat decodes IEEE 754 binary16.
func halfToFloat(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&0x1f), float64(h&0x3ff)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 0x1f:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// arrayStore is an array of inputs along its first dimension, and their labels.
type arrayStore struct {
	x      npyArray
	labels []int // nil when unknown
	shape  []int
	each   int64
	scale  ratio
	blobs  []*blob
}

func openNPY(ctx context.Context, spec Spec) (backend, Info, error) {
	s := &arrayStore{}
	var arrays [2]*npyArray
	for i, path := range spec.Paths {
		b, err := openBlob(ctx, path)
		if err == nil {
			s.blobs = append(s.blobs, b)
			var a npyArray
			if a, err = parseNPY(b); err != nil {
				err = fmt.Errorf("read %q: %w", path, err)
			}
			arrays[i] = &a
		}
		if err != nil {
			return nil, Info{}, errors.Join(err, s.close())
		}
	}
	info, err := s.settle(spec, *arrays[0], arrays[1])
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("read %q: %w", spec.Paths[0], err), s.close())
	}
	return s, info, nil
}

// settle checks the arrays against each other and reads the labels.
func (s *arrayStore) settle(spec Spec, x npyArray, y *npyArray) (Info, error) {
	if len(x.dims) < 2 {
		return Info{}, formatErrorf("the array of inputs has shape %v; want one input along the first dimension, for example (N, 3, 32, 32)", x.dims)
	}
	s.x, s.shape, s.each = x, x.dims[1:], 1
	for _, d := range s.shape {
		s.each *= int64(d)
	}
	if s.each > maxItemValues {
		return Info{}, formatErrorf("one input has %d values, more than %d", s.each, int64(maxItemValues))
	}
	var err error
	if s.scale, err = parseScale(spec); err != nil {
		return Info{}, err
	}
	if x.kind != 'f' && !s.scale.given {
		return Info{}, specErrorf("its values are integers without a scale; add ?scale=1/255 for 8-bit images (or ?scale=1 to take them as they are)")
	}
	if s.shape, err = reshape(spec, s.shape); err != nil {
		return Info{}, err
	}
	info := Info{Name: spec.Kind + ":" + spec.label(0) + s.scale.suffix(), Shape: s.shape}
	if y != nil {
		if s.labels, err = arrayLabels(*y, x.dims[0]); err != nil {
			return Info{}, fmt.Errorf("labels: %w", err)
		}
	}
	return info, nil
}

// arrayLabels reads integer labels of shape (N) or (N, 1), or one-hot rows.
func arrayLabels(y npyArray, n int) ([]int, error) {
	width := 1
	if len(y.dims) == 2 {
		width = y.dims[1]
	}
	if len(y.dims) < 1 || len(y.dims) > 2 || y.dims[0] != n {
		return nil, formatErrorf("shape %v does not go with %d inputs; want (%d)", y.dims, n, n)
	}
	out := make([]int, n)
	for i := range out {
		row, err := y.values(int64(i)*int64(width), int64(width))
		if err != nil {
			return nil, err
		}
		if width > 1 {
			if out[i], err = oneHot(row); err != nil {
				return nil, formatErrorf("row %d: %w", i, err)
			}
			continue
		}
		if v := row[0]; v != math.Trunc(v) || v < -1 || v > 1<<30 {
			return nil, formatErrorf("row %d: %v is not a class number", i, v)
		}
		out[i] = int(row[0])
	}
	return out, nil
}

func oneHot(row []float64) (int, error) {
	at := -1
	for j, v := range row {
		switch {
		case v == 1 && at < 0:
			at = j
		case v != 0:
			return 0, errors.New("it is neither a class number nor one-hot")
		}
	}
	if at < 0 {
		return 0, errors.New("no class is marked")
	}
	return at, nil
}

func (s *arrayStore) len() int { return s.x.dims[0] }

func (s *arrayStore) identify(ctx context.Context, f fingerprint) error {
	f.text(s.scale.suffix())
	for _, b := range s.blobs {
		if err := f.blob(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *arrayStore) load(_ context.Context, i int) (record, error) {
	rec := record{label: -1, shape: slices.Clone(s.shape)}
	if s.labels != nil {
		rec.label = s.labels[i]
	}
	v, err := s.x.values(int64(i)*s.each, s.each)
	if err != nil {
		return rec, err
	}
	rec.values = s.scale.apply(v)
	return rec, nil
}

func (s *arrayStore) close() error {
	var errs []error
	for _, b := range s.blobs {
		errs = append(errs, b.close())
	}
	return errors.Join(errs...)
}
