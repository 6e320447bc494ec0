package npy

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
)

func TestHalf(t *testing.T) {
	// IEEE 754 binary16: smallest subnormal, largest subnormal, smallest normal, 1, 1+2⁻¹⁰, largest, −2.
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
