package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ucan/internal/npy"
)

// ReadField reads one .npy array of floating-point values, such as a noise field, with its shape.
// Errors match [ErrFormat] unless the file is such an array, and name the remedy.
func ReadField(ctx context.Context, path string) (values []float32, shape []int, err error) {
	b, err := openBlob(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("read field: %w", err)
	}
	defer func() { err = errors.Join(err, b.close()) }()
	a, err := openArray(b)
	if err != nil {
		return nil, nil, fmt.Errorf("read field: %w", err)
	}
	if a.Kind != npy.Float {
		return nil, nil, formatErrorf("read field: it holds integers; save floating-point values")
	}
	count := int64(1)
	for _, n := range a.Shape {
		count *= int64(n)
	}
	if count > maxItemValues {
		return nil, nil, formatErrorf("read field: it holds %d values, more than any input has", count)
	}
	wide, err := a.Values(0, count)
	if err != nil {
		return nil, nil, fmt.Errorf("read field: %w", err)
	}
	values = make([]float32, len(wide))
	for i, v := range wide {
		values[i] = float32(v)
	}
	return values, slices.Clone(a.Shape), nil
}
