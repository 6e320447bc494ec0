package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxImageSide bounds the height and width a header may claim.
const maxImageSide = 1 << 14

// idxHeader is the header of an IDX file of bytes (LeCun's MNIST format):
// two zero bytes, the type 8 (unsigned byte), the number of dimensions, then
// each dimension as a big-endian uint32.
type idxHeader struct {
	dims   []int
	offset int64
}

// parseIDX checks the header against the size of the file.
func parseIDX(b *blob, wantDims int) (idxHeader, error) {
	var magic [4]byte
	if err := b.readAt(magic[:], 0); err != nil {
		return idxHeader{}, formatErrorf("IDX header: %w; the file is too short to be IDX", err)
	}
	if magic[0] != 0 || magic[1] != 0 || magic[2] != 8 || int(magic[3]) != wantDims {
		return idxHeader{}, formatErrorf("magic number %02x%02x%02x%02x, want 000008%02x: not an IDX file of bytes with %d dimensions", magic[0], magic[1], magic[2], magic[3], wantDims, wantDims)
	}
	raw := make([]byte, 4*wantDims)
	if err := b.readAt(raw, 4); err != nil {
		return idxHeader{}, formatErrorf("IDX header: %w; the file is truncated", err)
	}
	h := idxHeader{dims: make([]int, wantDims), offset: int64(4 + len(raw))}
	total := int64(1)
	for i := range h.dims {
		d := binary.BigEndian.Uint32(raw[4*i:])
		if d == 0 || (i > 0 && d > maxImageSide) || int64(d) > b.size {
			return idxHeader{}, formatErrorf("dimension %d of the IDX header is %d, impossible for a file of %d bytes", i, d, b.size)
		}
		h.dims[i] = int(d)
		if total *= int64(d); total > b.size {
			return idxHeader{}, formatErrorf("the IDX header promises at least %d values, the file holds %d bytes: it is truncated, fetch it again", total, b.size-h.offset)
		}
	}
	if h.offset+total != b.size {
		return idxHeader{}, formatErrorf("the IDX header promises %d values, the file holds %d bytes after it: it is truncated or has something appended, fetch it again", total, b.size-h.offset)
	}
	return h, nil
}

// idxStore is a pair of IDX files: images and their labels.
type idxStore struct {
	images *blob
	header idxHeader
	labels []byte
}

func openMNIST(ctx context.Context, spec Spec) (backend, Info, error) {
	split := spec.Params["split"]
	switch split {
	case "", "test":
		split = "t10k"
	case "t10k", "train":
	default:
		return nil, Info{}, specErrorf("option split=%s: want t10k or train", split)
	}
	images, err := openIDXFile(ctx, spec.Paths[0], split, "images", 3)
	if err != nil {
		return nil, Info{}, err
	}
	labels, err := openIDXFile(ctx, spec.Paths[0], split, "labels", 1)
	if err != nil {
		return nil, Info{}, errors.Join(err, images.close())
	}
	s, err := newIDXStore(images, labels)
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("read %q: %w", spec.Paths[0], err), images.close(), labels.close())
	}
	if err := labels.close(); err != nil {
		return nil, Info{}, errors.Join(err, images.close())
	}
	info := Info{Name: "mnist:" + split, Shape: []int{1, s.header.dims[1], s.header.dims[2]}, Classes: 10, Image: true}
	return s, info, nil
}

// isIDX tells whether a file of the folder may be one of the four.
func isIDX(name string) bool { return strings.Contains(name, "ubyte") && !strings.Contains(name, "/") }

// openIDXFile finds one of the four MNIST files under the names in use.
func openIDXFile(ctx context.Context, dir, split, what string, dims int) (*blob, error) {
	var tried []string
	for _, sep := range []string{"-", "."} {
		for _, ext := range []string{"", ".gz"} {
			name := fmt.Sprintf("%s-%s%sidx%d-ubyte%s", split, what, sep, dims, ext)
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				return openBlob(ctx, path)
			}
			tried = append(tried, name)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, specErrorf("read %q: %w; check the path", dir, err)
	}
	return nil, specErrorf("folder %q holds no %s of the split %s (looked for %s); name the folder that does, or another ?split=", dir, what, split, strings.Join(tried, ", "))
}

func newIDXStore(images, labels *blob) (*idxStore, error) {
	h, err := parseIDX(images, 3)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	lh, err := parseIDX(labels, 1)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if h.dims[0] != lh.dims[0] {
		return nil, formatErrorf("%d images but %d labels: the two files belong to different sets", h.dims[0], lh.dims[0])
	}
	s := &idxStore{images: images, header: h, labels: make([]byte, lh.dims[0])}
	if err := labels.readAt(s.labels, lh.offset); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return s, nil
}

func (s *idxStore) identify(ctx context.Context, f fingerprint) error {
	f.bytes(s.labels)
	return f.blob(ctx, s.images)
}

func (s *idxStore) len() int { return s.header.dims[0] }

func (s *idxStore) load(_ context.Context, i int) (record, error) {
	h, w := s.header.dims[1], s.header.dims[2]
	rec := record{label: int(s.labels[i]), image: newBitmap(1, h, w)}
	err := s.images.readAt(rec.image.pix, s.header.offset+int64(i)*int64(h)*int64(w))
	return rec, err
}

func (s *idxStore) close() error { return s.images.close() }
