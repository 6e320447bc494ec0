package dataset

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

// cifarStore is one or more files of fixed records: the label bytes, then 3,072
// bytes of red, green and blue planes, row by row (Krizhevsky's binary version).
type cifarStore struct {
	files      []*blob
	starts     []int // index of the first record of each file
	n          int
	labelBytes int
	labelAt    int
}

func openCIFAR(ctx context.Context, spec Spec) (backend, Info, error) {
	s := &cifarStore{labelBytes: 1}
	info := Info{Shape: []int{3, cifarSide, cifarSide}, Classes: 10, Image: true}
	if spec.Kind == "cifar10" {
		info.Labels = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
	}
	if spec.Kind == "cifar100" {
		s.labelBytes, s.labelAt, info.Classes = 2, 1, 100
		switch label := spec.Params["label"]; label {
		case "", "fine":
		case "coarse":
			s.labelAt, info.Classes = 0, 20
		default:
			return nil, Info{}, specErrorf("option label=%s: want fine or coarse", label)
		}
	}
	var names []string
	for i, path := range spec.Paths {
		b, err := openBlob(ctx, path)
		if err == nil {
			err = s.add(b)
			if err != nil {
				err = errors.Join(fmt.Errorf("read %q: %w", path, err), b.close())
			}
		}
		if err != nil {
			return nil, Info{}, errors.Join(err, s.close())
		}
		names = append(names, spec.label(i))
	}
	info.Name = spec.Kind + ":" + strings.Join(names, ",")
	if s.labelAt == 0 && spec.Kind == "cifar100" {
		info.Name += "?label=coarse"
	}
	return s, info, nil
}

func (s *cifarStore) record() int64 { return int64(s.labelBytes + cifarPixels) }

// add appends a file after checking that it is a whole number of records.
func (s *cifarStore) add(b *blob) error {
	if b.size == 0 || b.size%s.record() != 0 {
		return formatErrorf("%d bytes are not a whole number of %d-byte records: truncated, or not the binary version of CIFAR-%d", b.size, s.record(), map[int]int{1: 10, 2: 100}[s.labelBytes])
	}
	s.files = append(s.files, b)
	s.starts = append(s.starts, s.n)
	s.n += int(b.size / s.record())
	return nil
}

func (s *cifarStore) identify(ctx context.Context, f fingerprint) error {
	f.number(int64(s.labelAt))
	for _, b := range s.files {
		if err := f.blob(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *cifarStore) len() int { return s.n }

func (s *cifarStore) load(_ context.Context, i int) (record, error) {
	k := sort.Search(len(s.starts), func(j int) bool { return s.starts[j] > i }) - 1
	raw := make([]byte, s.record())
	if err := s.files[k].readAt(raw, int64(i-s.starts[k])*s.record()); err != nil {
		return record{label: -1}, err
	}
	img := &bitmap{c: 3, h: cifarSide, w: cifarSide, pix: raw[s.labelBytes:]}
	return record{label: int(raw[s.labelAt]), image: img}, nil
}

func (s *cifarStore) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}
