// Package data feeds the trainer from memory: it reads a source once, shuffles it anew in every
// epoch, augments images, draws noise of any family and prepares the next batch while the runtime
// computes.
//
// Everything is a function of the seed, the epoch and the image, through package stream: the same
// batches come whatever was asked for before, whether or not they were prepared ahead, and on any
// number of processors. Noise comes from the streams of phase Train, which no certificate ever
// reads.
package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"ucan/internal/dataset"
	"ucan/smooth/stream"
)

// Source is what is read: package dataset's sources.
type Source interface {
	// At reads the input with an index. A *dataset.ItemError means that only this input cannot be
	// used.
	At(ctx context.Context, i int) (dataset.Item, error)
	// Info describes the source.
	Info() dataset.Info
}

// Set is a labelled selection of a source in memory. Images that are bytes in the source stay
// bytes. It does not change.
type Set struct {
	info    dataset.Info
	dim     int
	indices []int
	labels  []int64
	hashes  [][32]byte
	bytes   []uint8   // one of the two holds the values
	floats  []float32 // row-major
	skipped int
}

// maxSkipped is the largest fraction of unusable inputs.
const maxSkipped = 0.1

// ErrData marks inputs that cannot be trained on.
var ErrData = errors.New("the data cannot be trained on")

// Load reads the inputs with the given indices, on all processors, and calls progress after each.
// Inputs that cannot be used (an unreadable image, no label, a label of classes or more) are left
// out and counted; more than a tenth of them, or no input at all, is an error that matches
// [ErrData]. classes is the model's number of classes, 0 when the source decides.
func Load(ctx context.Context, source Source, indices []int, classes int, progress func()) (*Set, error) {
	rows := make([]row, len(indices))
	if err := readAll(ctx, source, indices, classes, rows, progress); err != nil {
		return nil, err
	}
	s := &Set{info: source.Info()}
	var first error
	bytes := true
	for _, r := range rows {
		if r.fault != nil {
			s.skipped++
			if first == nil {
				first = r.fault
			}
			continue
		}
		s.indices = append(s.indices, r.index)
		s.labels = append(s.labels, int64(r.label))
		s.hashes = append(s.hashes, r.hash)
		s.dim = max(len(r.bytes), len(r.floats))
		bytes = bytes && r.bytes != nil
	}
	if len(s.indices) == 0 || float64(s.skipped) > maxSkipped*float64(len(indices)) {
		return nil, fmt.Errorf("%w: %s: %d of %d inputs are unusable, the first because: %w", ErrData, s.info.Name, s.skipped, len(indices), first)
	}
	s.store(rows, bytes)
	return s, nil
}

// row is one input as it is kept: as bytes where every value is a byte over 255, which takes a
// quarter of the memory.
type row struct {
	index, label int
	hash         [32]byte
	bytes        []uint8
	floats       []float32
	fault        error
}

// readAll fills rows by position.
func readAll(ctx context.Context, source Source, indices []int, classes int, rows []row, progress func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	image := source.Info().Image
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(indices) {
					return
				}
				var err error
				if rows[i], err = read(ctx, source, indices[i], classes, image); err != nil {
					cancel(err)
					return
				}
				if progress != nil {
					progress()
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// read reads one input. What is wrong with it alone becomes the row's fault.
func read(ctx context.Context, source Source, index, classes int, image bool) (row, error) {
	item, err := source.At(ctx, index)
	var bad *dataset.ItemError
	switch {
	case errors.As(err, &bad):
		return row{fault: err}, nil
	case err != nil:
		return row{}, err
	case item.Label < 0:
		return row{fault: fmt.Errorf("input %d has no label", index)}, nil
	case classes > 0 && item.Label >= classes:
		return row{fault: fmt.Errorf("input %d has label %d and the model %d classes", index, item.Label, classes)}, nil
	}
	r := row{index: item.Index, label: item.Label, hash: item.SHA256}
	if !image || !isBytes(item.X) {
		r.floats = item.X
		return r, nil
	}
	r.bytes = make([]uint8, len(item.X))
	for i, v := range item.X {
		r.bytes[i] = uint8(v*255 + 0.5)
	}
	return r, nil
}

// store puts the values of the usable rows one after another, as bytes when all of them are.
func (s *Set) store(rows []row, bytes bool) {
	if bytes {
		s.bytes = make([]uint8, 0, s.Len()*s.dim)
	} else {
		s.floats = make([]float32, 0, s.Len()*s.dim)
	}
	for i, r := range rows {
		switch {
		case r.fault != nil:
		case bytes:
			s.bytes = append(s.bytes, r.bytes...)
		case r.floats != nil:
			s.floats = append(s.floats, r.floats...)
		default:
			for _, b := range r.bytes {
				s.floats = append(s.floats, float32(b)/255)
			}
		}
		rows[i] = row{} // let the memory go as it is copied
	}
}

// isBytes reports whether every value is float32(b)/255 for some byte b.
func isBytes(x []float32) bool {
	for _, v := range x {
		if v < 0 || v > 1 || float32(uint8(v*255+0.5))/255 != v {
			return false
		}
	}
	return true
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.indices) }

// Dim is the number of values of an image.
func (s *Set) Dim() int { return s.dim }

// Info describes the source.
func (s *Set) Info() dataset.Info { return s.info }

// Skipped is the number of selected inputs that were left out because they cannot be used.
func (s *Set) Skipped() int { return s.skipped }

// Index returns the index in the whole source of image i of the set.
func (s *Set) Index(i int) int { return s.indices[i] }

// Label returns the class of image i.
func (s *Set) Label(i int) int { return int(s.labels[i]) }

// Classes returns one more than the largest label, or the source's number of classes where that is
// larger.
func (s *Set) Classes() int {
	n := int64(s.info.Classes)
	for _, l := range s.labels {
		n = max(n, l+1)
	}
	return int(n)
}

// Read writes image i to dst, Dim values in the source's layout.
func (s *Set) Read(i int, dst []float32) {
	if s.bytes == nil {
		copy(dst, s.floats[i*s.dim:(i+1)*s.dim])
		return
	}
	for j, b := range s.bytes[i*s.dim : (i+1)*s.dim] {
		dst[j] = float32(b) / 255
	}
}

// Split takes n images that the seed chooses out of the set, for validation: what is left and what
// was taken, both in the set's order. A choice by position would take a single class from a source
// that is sorted by class. It returns an error unless 0 < n < Len.
func (s *Set) Split(n int, seed uint64) (rest, taken *Set, err error) {
	if n < 1 || n >= s.Len() {
		return nil, nil, fmt.Errorf("%w: %d of %d images were to be held out for validation; hold out at least one and fewer than all, or give more images", ErrData, n, s.Len())
	}
	order := make([]int, s.Len())
	source := stream.New(seed, splitTag, stream.Train).Source(0)
	permute(order, &source)
	out, in := order[:n], order[n:]
	slices.Sort(out)
	slices.Sort(in)
	return s.choose(in), s.choose(out), nil
}

// Spread returns n images of the set at even distances, or s when it has no more.
func (s *Set) Spread(n int) *Set {
	if n >= s.Len() || n < 1 {
		return s
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i * s.Len() / n
	}
	return s.choose(rows)
}

// choose copies the images with the given numbers into a set of their own.
func (s *Set) choose(rows []int) *Set {
	p := &Set{info: s.info, dim: s.dim}
	if s.bytes != nil {
		p.bytes = make([]uint8, 0, len(rows)*s.dim)
	} else {
		p.floats = make([]float32, 0, len(rows)*s.dim)
	}
	for _, i := range rows {
		p.indices, p.labels, p.hashes = append(p.indices, s.indices[i]), append(p.labels, s.labels[i]), append(p.hashes, s.hashes[i])
		if s.bytes != nil {
			p.bytes = append(p.bytes, s.bytes[i*s.dim:(i+1)*s.dim]...)
		} else {
			p.floats = append(p.floats, s.floats[i*s.dim:(i+1)*s.dim]...)
		}
	}
	return p
}

// Moments returns mean and standard deviation of every channel over all images, for sources of
// shape (C, H, W) and the columns of tables; one pair for other shapes. A channel without spread
// has standard deviation 1.
func (s *Set) Moments() (mean, std []float64) {
	channels := 1
	if len(s.info.Shape) == 3 || len(s.info.Shape) == 1 {
		channels = s.info.Shape[0]
	}
	return moments(s, channels)
}
