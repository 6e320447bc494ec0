package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/internal/npy"
)

// maxItemValues bounds the values of one input.
const maxItemValues = 1 << 28

// openArray opens an array in NumPy's .npy format.
func openArray(b *blob) (*npy.Array, error) {
	a, err := npy.Open(b, b.size)
	if err != nil {
		return nil, formatErrorf("%w", err)
	}
	return a, nil
}

// arrayStore is an array of inputs along its first dimension, and their labels.
type arrayStore struct {
	x       *npy.Array
	classes []int // nil when unknown
	shape   []int
	each    int64
	scale   ratio
	blobs   []*blob
}

func openNPY(ctx context.Context, spec Spec) (backend, Info, error) {
	s := &arrayStore{}
	var arrays [2]*npy.Array
	for i, path := range spec.Paths {
		b, err := openBlob(ctx, path)
		if err == nil {
			s.blobs = append(s.blobs, b)
			if arrays[i], err = openArray(b); err != nil {
				err = fmt.Errorf("read %q: %w", path, err)
			}
		}
		if err != nil {
			return nil, Info{}, errors.Join(err, s.close())
		}
	}
	info, err := s.assemble(spec, arrays[0], arrays[1])
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("read %q: %w", spec.Paths[0], err), s.close())
	}
	return s, info, nil
}

// assemble checks the arrays against each other and reads the labels.
func (s *arrayStore) assemble(spec Spec, x, y *npy.Array) (Info, error) {
	if len(x.Shape) < 2 {
		return Info{}, formatErrorf("the array of inputs has shape %v; want one input along the first dimension, for example (N, 3, 32, 32)", x.Shape)
	}
	s.x, s.shape, s.each = x, x.Shape[1:], 1
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
	if x.Kind != npy.Float && !s.scale.given {
		return Info{}, specErrorf("its values are integers without a scale; add ?scale=1/255 for 8-bit images (or ?scale=1 to take them as they are)")
	}
	if s.shape, err = reshape(spec, s.shape); err != nil {
		return Info{}, err
	}
	info := Info{Name: spec.Kind + ":" + spec.label(0) + s.scale.suffix(), Shape: s.shape}
	if y != nil {
		if s.classes, err = arrayLabels(y, x.Shape[0]); err != nil {
			return Info{}, fmt.Errorf("labels: %w", err)
		}
		if len(y.Shape) == 1 || y.Shape[1] == 1 { // numbers, which a model may call its classes by
			info.classTexts = textsOf(s.classes, nil)
		}
	}
	return info, nil
}

// arrayLabels reads integer labels of shape (N) or (N, 1), or one-hot rows.
func arrayLabels(y *npy.Array, n int) ([]int, error) {
	width := 1
	if len(y.Shape) == 2 {
		width = y.Shape[1]
	}
	if len(y.Shape) < 1 || len(y.Shape) > 2 || y.Shape[0] != n {
		return nil, formatErrorf("shape %v does not go with %d inputs; want (%d)", y.Shape, n, n)
	}
	out := make([]int, n)
	for i := range out {
		row, err := y.Values(int64(i)*int64(width), int64(width))
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

func (s *arrayStore) labels() []int { return s.classes }

func (s *arrayStore) len() int { return s.x.Shape[0] }

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
	if s.classes != nil {
		rec.label = s.classes[i]
	}
	v, err := s.x.Values(int64(i)*s.each, s.each)
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
