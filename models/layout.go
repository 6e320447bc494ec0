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

// asIs is a fit that reads the source's values in their order.
func asIs(layout declare.Layout, dims []int) fit {
	return fit{layout: layout, RowShape: rewrite.RowShape{Dims: slices.Clone(dims)}}
}

// channelsLast is a fit that transposes images first.
func channelsLast(dims []int) fit {
	return fit{layout: declare.NHWC, RowShape: rewrite.RowShape{Transpose: true, Dims: slices.Clone(dims)}}
}

// orGuessed marks a fit that is a guess.
func (f fit) orGuessed(guessed bool) fit {
	f.guessed = guessed
	return f
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
	same := !slices.Contains(row, rewrite.Open) && product(row) == product(source)
	switch {
	case row == nil && declared == declare.NHWC && image:
		return channelsLast(hwc), nil
	case row == nil && declared == declare.Flat, declared == declare.Flat && len(row) == 1 && row[0] == rewrite.Open:
		return asIs(declare.Flat, []int{product(source)}), nil
	case row == nil:
		return asIs(layoutOf(source), source).orGuessed(declared == declare.Undeclared), nil
	case declared == declare.Undeclared:
		return guessLayout(source, row, hwc, same)
	case declared == declare.NHWC && image && matches(row, hwc):
		return channelsLast(hwc), nil
	case declared == declare.NHWC && image && same && (len(squeezed(row)) <= 1 || slices.Equal(squeezed(row), squeezed(hwc))):
		return channelsLast(row), nil
	case declared == declare.NCHW && matches(row, source):
		return asIs(declare.NCHW, source), nil
	case declared == declare.NCHW && image && same && slices.Equal(squeezed(row), squeezed(source)),
		declared == declare.Flat && same, !image && same:
		return asIs(declared, row), nil
	}
	return fit{}, misfit(source, row, declared)
}

// misfit is the refusal of a model and data of different shapes.
func misfit(source, row []int, declared declare.Layout) error {
	what := fmt.Sprintf("the model takes rows of shape %s and the data has shape %s", rewrite.ShapeText(row), rewrite.ShapeText(source))
	if declared != declare.Undeclared {
		what += fmt.Sprintf(" in layout %s", declared)
	}
	return soundness.Refuse(what, "use data of the model's size, resize images with --resize and --crop, or change --layout")
}

// guessLayout decides where nothing is declared.
func guessLayout(source, row, hwc []int, same bool) (fit, error) {
	image := len(source) == 3
	switch {
	case slices.Equal(row, source):
		// Certain, unless rows and columns could be meant by the same numbers.
		return asIs(layoutOf(source), source).orGuessed(image && slices.Equal(row, hwc)), nil
	case image && slices.Equal(row, hwc):
		return channelsLast(hwc), nil
	case matches(row, source):
		return asIs(layoutOf(source), source).orGuessed(true), nil
	case image && matches(row, hwc):
		return channelsLast(hwc).orGuessed(true), nil
	case same && slices.Equal(squeezed(row), squeezed(source)) && len(squeezed(row)) > 1:
		return asIs(layoutOf(source), row), nil
	case same && slices.Equal(squeezed(row), squeezed(source)):
		return asIs(declare.Flat, row), nil
	case same && len(squeezed(row)) <= 1:
		// An image flattened: in the source's order, channel by channel.
		return asIs(declare.Flat, row).orGuessed(image && source[0] > 1), nil
	case same && !image && len(row) == 3 && !channels(row[0]) && channels(row[2]) && row[2] > 1:
		return fit{}, soundness.Refuse(
			fmt.Sprintf("the data has flat rows of %d values and the model takes %s; the order of the values is unknown", product(source), rewrite.ShapeText(row)),
			"say --layout flat if the values are stored in the model's own order")
	case same && !image:
		return asIs(declare.Flat, row).orGuessed(true), nil
	case len(row) == 1 && row[0] == rewrite.Open:
		return asIs(declare.Flat, []int{product(source)}).orGuessed(true), nil
	}
	return fit{}, misfit(source, row, declare.Undeclared)
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
