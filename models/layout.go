package models

import (
	"fmt"
	"slices"
	"strings"

	"ucan/runtime/onnx"
)

// unknown is a dimension that a file leaves open.
const unknown = -1

// fit says how a row of the source becomes a row of a model's input: transposed
// from CHW to HWC where transpose is set, then read in the shape target.
type fit struct {
	layout    Layout
	transpose bool
	target    []int
	guessed   bool
}

// rowDims returns the declared dimensions of one row of an input, unknown where they
// are open; nil when the rank is not declared or there is no batch axis.
func rowDims(v onnx.ValueInfo) []int {
	if !v.HasShape || len(v.Shape) < 1 {
		return nil
	}
	out := make([]int, len(v.Shape)-1)
	for i, d := range v.Shape[1:] {
		out[i] = unknown
		// Exporters write 0 for an unknown size.
		if d.IsFixed() && d.Size > 0 && d.Size < 1<<31 {
			out[i] = int(d.Size)
		}
	}
	return out
}

// batchDim returns the declared batch: 0 when it is open.
func batchDim(v onnx.ValueInfo) int {
	if v.HasShape && len(v.Shape) > 0 && v.Shape[0].IsFixed() && v.Shape[0].Size < 1<<31 {
		return int(v.Shape[0].Size)
	}
	return 0
}

// inferSource returns the source's shape that suits a row of a model's input, nil
// when too little is declared.
func inferSource(row []int, declared Layout) []int {
	switch {
	case row == nil || slices.Contains(row, unknown):
		return nil
	case len(row) == 0:
		return []int{1} // one number a row
	}
	if len(row) == 3 && declared != Flat && (declared == NHWC || declared == Undeclared && channels(row[2]) && !channels(row[0])) {
		return []int{row[2], row[0], row[1]}
	}
	if len(row) == 3 {
		return slices.Clone(row)
	}
	n := len(row)
	for n > 1 && row[n-1] == 1 {
		n--
	}
	return slices.Clone(row[:n])
}

func channels(n int) bool { return n == 1 || n == 3 || n == 4 }

// matches compares dimensions, an open one with any.
func matches(row, want []int) bool {
	return slices.EqualFunc(row, want, func(a, b int) bool { return a == b || a == unknown })
}

func squeezed(dims []int) []int {
	return slices.DeleteFunc(slices.Clone(dims), func(n int) bool { return n == 1 })
}

// fitLayout finds how rows of the source's shape enter a model whose input has the
// given dimensions a row (nil: not declared). What cannot be made to fit is a
// Refusal that names both shapes.
func fitLayout(source, row []int, declared Layout) (fit, error) {
	image := len(source) == 3
	var hwc []int
	if image {
		hwc = []int{source[1], source[2], source[0]}
	}
	open := slices.Contains(row, unknown)
	same := !open && product(row) == product(source)
	mismatch := func() (fit, error) {
		what := fmt.Sprintf("the model takes rows of shape %s and the data has shape %s", shapeText(row), shapeText(source))
		if declared != Undeclared {
			what += fmt.Sprintf(" in layout %s", declared)
		}
		return fit{}, refuse(what, "use data of the model's size, resize images with --resize and --crop, or change --layout")
	}
	if row == nil {
		switch {
		case declared == NHWC && image:
			return fit{layout: NHWC, transpose: true, target: hwc}, nil
		case declared == Flat:
			return fit{layout: Flat, target: []int{product(source)}}, nil
		}
		return fit{layout: layoutOf(source), target: slices.Clone(source), guessed: declared == Undeclared}, nil
	}
	switch declared {
	case NHWC:
		switch {
		case image && matches(row, hwc):
			return fit{layout: NHWC, transpose: true, target: hwc}, nil
		case image && same && (len(squeezed(row)) <= 1 || slices.Equal(squeezed(row), squeezed(hwc))):
			return fit{layout: NHWC, transpose: true, target: slices.Clone(row)}, nil
		case !image && same:
			return fit{layout: NHWC, target: slices.Clone(row)}, nil
		}
		return mismatch()
	case Flat:
		if len(row) == 1 && row[0] == unknown {
			return fit{layout: Flat, target: []int{product(source)}}, nil
		}
		if same {
			return fit{layout: Flat, target: slices.Clone(row)}, nil
		}
		return mismatch()
	case NCHW:
		switch {
		case matches(row, source):
			return fit{layout: NCHW, target: slices.Clone(source)}, nil
		case same && (slices.Equal(squeezed(row), squeezed(source)) || !image):
			return fit{layout: NCHW, target: slices.Clone(row)}, nil
		}
		return mismatch()
	}
	return guessLayout(source, row, hwc, same, mismatch)
}

// guessLayout decides where nothing is declared.
func guessLayout(source, row, hwc []int, same bool, mismatch func() (fit, error)) (fit, error) {
	image := len(source) == 3
	switch {
	case slices.Equal(row, source):
		// Certain, unless rows and columns could be meant by the same numbers.
		return fit{layout: layoutOf(source), target: slices.Clone(source), guessed: image && slices.Equal(row, hwc)}, nil
	case image && slices.Equal(row, hwc):
		return fit{layout: NHWC, transpose: true, target: hwc}, nil
	case matches(row, source):
		return fit{layout: layoutOf(source), target: slices.Clone(source), guessed: true}, nil
	case image && matches(row, hwc):
		return fit{layout: NHWC, transpose: true, target: hwc, guessed: true}, nil
	case same && slices.Equal(squeezed(row), squeezed(source)):
		l := layoutOf(source)
		if len(squeezed(row)) <= 1 {
			l = Flat
		}
		return fit{layout: l, target: slices.Clone(row)}, nil
	case same && len(squeezed(row)) <= 1:
		// An image flattened: in the source's order, channel by channel.
		return fit{layout: Flat, target: slices.Clone(row), guessed: image && source[0] > 1}, nil
	case same && !image && len(row) == 3 && !channels(row[0]) && channels(row[2]) && row[2] > 1:
		return fit{}, refuse(
			fmt.Sprintf("the data has flat rows of %d values and the model takes %s; the order of the values is unknown", product(source), shapeText(row)),
			"say --layout flat if the values are stored in the model's own order")
	case same && !image:
		return fit{layout: Flat, target: slices.Clone(row), guessed: true}, nil
	case len(row) == 1 && row[0] == unknown:
		return fit{layout: Flat, target: []int{product(source)}, guessed: true}, nil
	}
	return mismatch()
}

func layoutOf(source []int) Layout {
	if len(source) == 3 {
		return NCHW
	}
	return Flat
}

// shapeText prints a shape like [3,32,32], open dimensions as "?".
func shapeText(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = "?"
		if d != unknown {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
