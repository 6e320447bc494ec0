// Package npy reads and writes arrays of numbers in NumPy's .npy format, versions 1 to 3.
//
// It imports the standard library only, so that every package may use it.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	magic = "\x93NUMPY"
	// maxHeader bounds the header text; numpy itself refuses more than 10,000 characters unless
	// asked.
	maxHeader = 1 << 16
	// MaxDims is the most dimensions of an array.
	MaxDims = 32
)

// Kind is the kind of numbers of an array.
type Kind byte

// The kinds of numbers. Booleans are unsigned.
const (
	Float    Kind = 'f'
	Signed   Kind = 'i'
	Unsigned Kind = 'u'
)

// Array is an array that is read on demand, in C order whatever the order of the file.
type Array struct {
	// Kind is the kind of its numbers.
	Kind Kind
	// Shape has a positive number of entries along each dimension; it is empty for one number.
	Shape []int

	r    io.ReaderAt
	at   int64 // offset of the first value
	size int   // bytes a value
	big  bool  // big-endian
	// steps are the distances between neighbours along each dimension, in values, where the file is
	// in Fortran order; nil: C order.
	steps []int64
}

// The header is a Python dictionary with these three keys, as numpy writes it.
var (
	descrPattern   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z])(\d{1,2})['"]`)
	fortranPattern = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	shapePattern   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([\d\s,L]*)\)`)
)

// Open reads the header of an array and checks it against the size of r in bytes. Errors say what
// is wrong with the file and what to do.
func Open(r io.ReaderAt, size int64) (*Array, error) {
	var pre [12]byte
	if err := ReadAt(r, pre[:10], 0); err != nil {
		return nil, fmt.Errorf("npy header: %w; the file is too short", err)
	}
	if string(pre[:6]) != magic {
		return nil, errors.New("it does not begin like a .npy file; save it with numpy.save")
	}
	a := &Array{r: r}
	var length int64
	switch pre[6] {
	case 1:
		length, a.at = int64(binary.LittleEndian.Uint16(pre[8:])), 10
	case 2, 3:
		if err := ReadAt(r, pre[:], 0); err != nil {
			return nil, fmt.Errorf("npy header: %w; the file is truncated", err)
		}
		length, a.at = int64(binary.LittleEndian.Uint32(pre[8:])), 12
	default:
		return nil, fmt.Errorf("npy format version %d is unknown; save it with numpy.save", pre[6])
	}
	if length > maxHeader {
		return nil, fmt.Errorf("the npy header claims %d bytes, more than %d; the file is damaged", length, maxHeader)
	}
	text := make([]byte, length)
	if err := ReadAt(r, text, a.at); err != nil {
		return nil, fmt.Errorf("npy header: %w; the file is truncated", err)
	}
	a.at += length
	if err := a.parseHeader(string(text)); err != nil {
		return nil, err
	}
	if err := a.checkSize(size); err != nil {
		return nil, err
	}
	a.findSteps()
	return a, nil
}

func (a *Array) parseHeader(text string) error {
	descr, fortran, shape := descrPattern.FindStringSubmatch(text), fortranPattern.FindStringSubmatch(text), shapePattern.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return fmt.Errorf("the npy header %.80q does not name a plain type, order and shape; save one array of numbers with numpy.save", strings.TrimSpace(text))
	}
	for part := range strings.SplitSeq(shape[1], ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "L")
		if part == "" {
			continue
		}
		v, err := strconv.Atoi(part)
		if err != nil || len(a.Shape) == MaxDims {
			return fmt.Errorf("the npy header's shape (%.80s) is impossible", shape[1])
		}
		a.Shape = append(a.Shape, v)
	}
	code := descr[2] + descr[3]
	switch code {
	case "f2", "f4", "f8":
		a.Kind = Float
	case "i1", "i2", "i4", "i8":
		a.Kind = Signed
	case "u1", "u2", "u4", "u8", "b1":
		a.Kind = Unsigned
	default:
		if slices.Contains([]string{"U", "S", "a"}, descr[2]) {
			return fmt.Errorf("the array holds text (type %s); store numbers, labels for example as numpy.unique(y, return_inverse=True)[1]", code)
		}
		return fmt.Errorf("arrays of type %s are not supported; convert it with x.astype(numpy.float32)", code)
	}
	a.size, a.big = int(code[1]-'0'), descr[1] == ">"
	if fortran[1] == "True" && len(a.Shape) > 1 {
		a.steps = make([]int64, len(a.Shape))
	}
	return nil
}

// findSteps fills in the steps of an array in Fortran order, whose size was checked.
func (a *Array) findSteps() {
	step := int64(1)
	for axis := range a.steps {
		a.steps[axis] = step
		step *= int64(a.Shape[axis])
	}
}

// place is where in the file the value lies that has this number in C order.
func (a *Array) place(number int64) int64 {
	at := int64(0)
	for axis := len(a.Shape) - 1; axis >= 0; axis-- {
		n := int64(a.Shape[axis])
		at += number % n * a.steps[axis]
		number /= n
	}
	return at
}

// checkSize checks that a file of so many bytes holds the array.
func (a *Array) checkSize(size int64) error {
	total := int64(a.size)
	for _, d := range a.Shape {
		if d == 0 {
			return fmt.Errorf("the array of shape %v holds no value", a.Shape)
		}
		if total > size/int64(d) {
			total = math.MaxInt64
			break
		}
		total *= int64(d)
	}
	if total > size-a.at {
		return fmt.Errorf("the npy header promises shape %v, the file holds %d bytes after it: it is truncated, fetch it again", a.Shape, size-a.at)
	}
	return nil
}

// Values decodes count values, the first one being number first in C order.
func (a *Array) Values(first, count int64) ([]float64, error) {
	raw := make([]byte, count*int64(a.size))
	if err := a.read(raw, first); err != nil {
		return nil, err
	}
	out := make([]float64, count)
	for i := range out {
		out[i] = a.decode(raw[i*a.size:][:a.size])
	}
	return out, nil
}

// read fills raw with the bytes of values, the first one being number first in C order.
func (a *Array) read(raw []byte, first int64) error {
	if a.steps == nil {
		return ReadAt(a.r, raw, a.at+first*int64(a.size))
	}
	for ; len(raw) > 0; first++ {
		if err := ReadAt(a.r, raw[:a.size], a.at+a.place(first)*int64(a.size)); err != nil {
			return err
		}
		raw = raw[a.size:]
	}
	return nil
}

func (a *Array) decode(raw []byte) float64 {
	if a.big {
		slices.Reverse(raw)
	}
	var bits uint64
	for i := len(raw) - 1; i >= 0; i-- {
		bits = bits<<8 | uint64(raw[i])
	}
	switch {
	case a.Kind == Unsigned:
		return float64(bits)
	case a.Kind == Signed:
		shift := 64 - 8*a.size
		return float64(int64(bits<<shift) >> shift)
	case a.size == 8:
		return math.Float64frombits(bits)
	case a.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	}
	return half(uint16(bits))
}

// half decodes IEEE 754 binary16.
func half(h uint16) float64 {
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

// ReadAt fills dst from off; a short read is an error.
func ReadAt(r io.ReaderAt, dst []byte, off int64) error {
	n, err := r.ReadAt(dst, off)
	if n == len(dst) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%d bytes at offset %d: %w", len(dst), off, err)
}
