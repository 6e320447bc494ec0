package models

import (
	"fmt"
	"slices"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/soundness"
)

// fit says how a row of the source becomes a row of a model's input: transposed
// from CHW to HWC where transpose is set, then read in the shape target.
type fit struct {
	rewrite.RowShape
	layout  declare.Layout
	guessed bool
}

// rowDims returns the declared dimensions of one row of an input, unknown where they
// are open; nil when the rank is not declared or there is no batch axis.
func rowDims(v onnx.ValueInfo) []int {
	if !v.HasShape || len(v.Shape) < 1 {
		return nil
	}
	out := make([]int, len(v.Shape)-1)
	for i, d := range v.Shape[1:] {
		out[i] = rewrite.Open
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
func inferSource(row []int, declared declare.Layout) []int {
	switch {
	case row == nil || slices.Contains(row, rewrite.Open):
		return nil
	case len(row) == 0:
		return []int{1} // one number a row
	}
	if len(row) == 3 && declared != declare.Flat && (declared == declare.NHWC || declared == declare.Undeclared && channels(row[2]) && !channels(row[0])) {
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
	return slices.EqualFunc(row, want, func(a, b int) bool { return a == b || a == rewrite.Open })
}

func squeezed(dims []int) []int {
	return slices.DeleteFunc(slices.Clone(dims), func(n int) bool { return n == 1 })
}

// fitLayout finds how rows of the source's shape enter a model whose input has the
// given dimensions a row (nil: not declared). What cannot be made to fit is a
// Refusal that names both shapes.
func fitLayout(source, row []int, declared declare.Layout) (fit, error) {
	image := len(source) == 3
	var hwc []int
	if image {
		hwc = []int{source[1], source[2], source[0]}
	}
	open := slices.Contains(row, rewrite.Open)
	same := !open && product(row) == product(source)
	mismatch := func() (fit, error) {
		what := fmt.Sprintf("the model takes rows of shape %s and the data has shape %s", rewrite.ShapeText(row), rewrite.ShapeText(source))
		if declared != declare.Undeclared {
			what += fmt.Sprintf(" in layout %s", declared)
		}
		return fit{}, soundness.Refuse(what, "use data of the model's size, resize images with --resize and --crop, or change --layout")
	}
	if row == nil {
		switch {
		case declared == declare.NHWC && image:
			return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: hwc}}, nil
		case declared == declare.Flat:
			return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: []int{product(source)}}}, nil
		}
		return fit{layout: layoutOf(source), RowShape: rewrite.RowShape{Dims: slices.Clone(source)}, guessed: declared == declare.Undeclared}, nil
	}
	switch declared {
	case declare.NHWC:
		switch {
		case image && matches(row, hwc):
			return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: hwc}}, nil
		case image && same && (len(squeezed(row)) <= 1 || slices.Equal(squeezed(row), squeezed(hwc))):
			return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: slices.Clone(row)}}, nil
		case !image && same:
			return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}}, nil
		}
		return mismatch()
	case declare.Flat:
		if len(row) == 1 && row[0] == rewrite.Open {
			return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: []int{product(source)}}}, nil
		}
		if same {
			return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}}, nil
		}
		return mismatch()
	case declare.NCHW:
		switch {
		case matches(row, source):
			return fit{layout: declare.NCHW, RowShape: rewrite.RowShape{Dims: slices.Clone(source)}}, nil
		case same && (slices.Equal(squeezed(row), squeezed(source)) || !image):
			return fit{layout: declare.NCHW, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}}, nil
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
		return fit{layout: layoutOf(source), RowShape: rewrite.RowShape{Dims: slices.Clone(source)}, guessed: image && slices.Equal(row, hwc)}, nil
	case image && slices.Equal(row, hwc):
		return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: hwc}}, nil
	case matches(row, source):
		return fit{layout: layoutOf(source), RowShape: rewrite.RowShape{Dims: slices.Clone(source)}, guessed: true}, nil
	case image && matches(row, hwc):
		return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: hwc}, guessed: true}, nil
	case same && slices.Equal(squeezed(row), squeezed(source)):
		l := layoutOf(source)
		if len(squeezed(row)) <= 1 {
			l = declare.Flat
		}
		return fit{layout: l, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}}, nil
	case same && len(squeezed(row)) <= 1:
		// An image flattened: in the source's order, channel by channel.
		return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}, guessed: image && source[0] > 1}, nil
	case same && !image && len(row) == 3 && !channels(row[0]) && channels(row[2]) && row[2] > 1:
		return fit{}, soundness.Refuse(
			fmt.Sprintf("the data has flat rows of %d values and the model takes %s; the order of the values is unknown", product(source), rewrite.ShapeText(row)),
			"say --layout flat if the values are stored in the model's own order")
	case same && !image:
		return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: slices.Clone(row)}, guessed: true}, nil
	case len(row) == 1 && row[0] == rewrite.Open:
		return fit{layout: declare.Flat, RowShape: rewrite.RowShape{Dims: []int{product(source)}}, guessed: true}, nil
	}
	return mismatch()
}

func layoutOf(source []int) declare.Layout {
	if len(source) == 3 {
		return declare.NCHW
	}
	return declare.Flat
}

// product multiplies dimensions.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
