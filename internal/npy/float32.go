package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxOverhead is the most bytes that a file which [Decode] takes has beside its values.
const MaxOverhead = 12 + maxHeader

// Encode returns values as a file of version 1 with little-endian float32 values in C order. A
// shape that does not hold the values is replaced by their number.
func Encode(values []float32, shape []int) []byte {
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
	const before = len(magic) + 4
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	out := make([]byte, 0, before+len(header)+4*len(values))
	out = append(out, magic+"\x01\x00"...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(out, header...)
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// Decode reads a file of exactly dim little-endian float32 values in C order, of any shape, bit
// by bit.
func Decode(data []byte, dim int) ([]float32, error) {
	a, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if a.Kind != Float || a.size != 4 || a.big || a.steps != nil {
		return nil, errors.New("not little-endian float32 values in C order")
	}
	count := 1
	for _, n := range a.Shape {
		count *= n // Open checked that the file holds so many
	}
	if body := data[a.at:]; count != dim || len(body) != 4*dim {
		return nil, fmt.Errorf("%d bytes of shape %v where %d float32 values are wanted", len(body), a.Shape, dim)
	}
	values := make([]float32, dim)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[a.at:][4*i:]))
	}
	return values, nil
}
