package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

func TestHalf(t *testing.T) {
	// IEEE 754 binary16: smallest subnormal, largest subnormal, smallest normal, 1, 1+2⁻¹⁰,
	// largest, −2.
	for bits, want := range map[uint16]float64{
		0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x3c00: 1, 0x3c01: 1 + 0x1p-10, 0x7bff: 65504, 0xc000: -2,
		0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := half(bits); got != want {
			t.Errorf("%04x: %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) {
		t.Error("7e00 is a NaN")
	}
}

func TestEncodedValuesComeBackBitByBit(t *testing.T) {
	values := []float32{0, float32(math.Copysign(0, -1)), 1.5, -1e-42, float32(math.Inf(1)), float32(math.NaN())}
	for name, shape := range subtest.Rows(map[string][]int{"of the values": {2, 3}, "flat": {6}, "of none": nil, "of others": {7}}) {
		t.Run(name, func(t *testing.T) {
			data := Encode(values, shape)
			if start := len(data) - 4*len(values); start%64 != 0 || data[start-1] != '\n' {
				t.Errorf("the values begin at %d", start)
			}
			got, err := Decode(data, len(values))
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if math.Float32bits(got[i]) != math.Float32bits(v) {
					t.Errorf("value %d is %v, want %v", i, got[i], v)
				}
			}
			a, err := Open(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			want := []int{6}
			if name == "of the values" {
				want = shape
			}
			if !slices.Equal(a.Shape, want) {
				t.Errorf("shape %v, want %v", a.Shape, want)
			}
			wide, err := a.Values(2, 2)
			if err != nil || !slices.Equal(wide, []float64{1.5, float64(float32(-1e-42))}) {
				t.Errorf("two values from number 2 on: %v, %v", wide, err)
			}
		})
	}
}

func TestDecodeTakesNothingElse(t *testing.T) {
	good := Encode([]float32{1, 2, 3, 4}, []int{2, 2})
	swap := func(old, new string) []byte { return []byte(strings.Replace(string(good), old, new, 1)) }
	for name, data := range subtest.Rows(map[string][]byte{
		"empty": nil, "magic": swap("NUMPY", "NUMPX"), "truncated": good[:len(good)-1], "longer": append(slices.Clone(good), 0),
		"float64": swap("<f4", "<f8"), "big-endian": swap("<f4", ">f4"), "integers": swap("<f4", "<i4"),
		"Fortran order": swap("False", "True "), "another shape": swap("(2, 2, )", "(2, 3, )"), "no header": good[:9],
	}) {
		t.Run(name, func(t *testing.T) {
			if values, err := Decode(data, 4); err == nil {
				t.Errorf("decoded %v", values)
			}
		})
	}
	if _, err := Decode(good, 5); err == nil {
		t.Error("4 values were taken for 5")
	}
}

// An array in Fortran order gives the same values, in C order, as the array that it was made from.
func TestFortranOrder(t *testing.T) {
	types := map[string]func(v int) []byte{
		"|u1": func(v int) []byte { return []byte{byte(v)} },
		"|b1": func(v int) []byte { return []byte{byte(v & 1)} },
		">i2": func(v int) []byte { return []byte{byte(v >> 8), byte(v)} },
		"<f2": func(v int) []byte { return []byte{0, byte(v) << 2} }, // 2 to powers that are rising
		">f8": func(v int) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(v)+0.5)) },
	}
	for descr, encode := range subtest.Rows(types) {
		t.Run(descr, func(t *testing.T) {
			for _, shape := range [][]int{{7}, {3, 2}, {2, 3, 4}, {2, 1, 3, 2}} {
				count := 1
				for _, n := range shape {
					count *= n
				}
				// The value that is number i in C order lies where its coordinates say, first ones
				// fastest.
				inC, inFortran := []byte{}, make([][]byte, count)
				for i := range count {
					at, step, rest, block := 0, 1, i, count
					for _, n := range shape {
						block /= n
						at += rest / block * step
						rest, step = rest%block, step*n
					}
					inC, inFortran[at] = append(inC, encode(i)...), encode(i)
				}
				want, err := open(t, descr, false, shape, inC).Values(0, int64(count))
				if err != nil {
					t.Fatal(err)
				}
				a := open(t, descr, true, shape, bytes.Join(inFortran, nil))
				for first := range count {
					got, err := a.Values(int64(first), int64(count-first))
					if err != nil || !slices.Equal(got, want[first:]) {
						t.Fatalf("shape %v from value %d: %v, %v; want %v", shape, first, got, err, want[first:])
					}
				}
			}
		})
	}
}

func open(t *testing.T, descr string, fortran bool, shape []int, values []byte) *Array {
	t.Helper()
	a, err := Open(bytes.NewReader(file(descr, fortran, shape, values)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// file is an array as NumPy writes it.
func file(descr string, fortran bool, shape []int, values []byte) []byte {
	order := map[bool]string{true: "True", false: "False"}[fortran]
	dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]")
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s,), }\n", descr, order, dims)
	return slices.Concat([]byte(magic+"\x01\x00"), binary.LittleEndian.AppendUint16(nil, uint16(len(header))), []byte(header), values)
}

func TestOtherTypesAreNamed(t *testing.T) {
	for descr, want := range subtest.Rows(map[string]string{
		"<U10": "text (type U10)", "|S3": "return_inverse", "<c8": "type c8 are not supported", "<f16": "type f16", "|O": "one array of numbers",
	}) {
		t.Run(descr, func(t *testing.T) {
			data := file(descr, false, []int{2}, make([]byte, 100))
			if _, err := Open(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// FuzzOpen holds values, whatever the header claims, to the size of the file.
func FuzzOpen(f *testing.F) {
	f.Add(file("<f4", true, []int{2, 3}, make([]byte, 24)))
	f.Add(file(">i2", false, []int{4}, make([]byte, 8)))
	f.Add(file("|u1", true, []int{1 << 40, 1 << 40}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		count := int64(1)
		for _, n := range a.Shape {
			count *= int64(n)
		}
		if count > int64(len(data)) {
			t.Fatalf("%d values in %d bytes", count, len(data))
		}
		if _, err := a.Values(count-1, 1); err != nil {
			t.Errorf("the last of %v: %v", a.Shape, err)
		}
	})
}
