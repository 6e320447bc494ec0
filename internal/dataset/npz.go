package dataset

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ucan/internal/npy"
)

// inputKeys and labelKeys are the names looked for in a .npz, in order.
func inputKeys() []string {
	return []string{"x", "X", "x_test", "X_test", "images", "test_images", "inputs", "data", "arr_0"}
}

func labelKeys() []string {
	return []string{"y", "Y", "y_test", "Y_test", "labels", "test_labels", "targets", "label", "arr_1"}
}

// openNPZ reads two arrays of a .npz, which is a zip archive of .npy files.
func openNPZ(ctx context.Context, spec Spec) (backend, Info, error) {
	b, err := openBlob(ctx, spec.Paths[0])
	if err != nil {
		return nil, Info{}, err
	}
	s := &arrayStore{blobs: []*blob{b}}
	info, err := s.fromNPZ(ctx, spec, b)
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("read %q: %w", spec.Paths[0], err), s.close())
	}
	return s, info, nil
}

func (s *arrayStore) fromNPZ(ctx context.Context, spec Spec, b *blob) (Info, error) {
	zr, err := zip.NewReader(b, b.size)
	if err != nil {
		return Info{}, formatErrorf("%w; it is not a .npz file, or it is truncated", err)
	}
	var keys []string
	members := map[string]*zip.File{}
	for _, f := range zr.File {
		key := strings.TrimSuffix(f.Name, ".npy")
		if _, twice := members[key]; twice {
			return Info{}, formatErrorf("two arrays are named %s; save them under other names", quote(key))
		}
		keys = append(keys, key)
		members[key] = f
	}
	xKey, err := findKey(keys, spec.Params["x"], "x", inputKeys())
	if err != nil {
		return Info{}, err
	}
	yKey, err := findKey(keys, spec.Params["y"], "y", labelKeys())
	if err != nil && spec.Params["y"] != "" {
		return Info{}, err
	}
	if xKey == yKey {
		return Info{}, specErrorf("inputs and labels are both %q; name them with ?x=KEY&y=KEY", xKey)
	}
	x, err := s.member(ctx, b, members[xKey])
	if err != nil {
		return Info{}, fmt.Errorf("array %q: %w", xKey, err)
	}
	if yKey == "" {
		return s.assemble(spec, x, nil)
	}
	y, err := s.member(ctx, b, members[yKey])
	if err != nil {
		return Info{}, fmt.Errorf("array %q: %w", yKey, err)
	}
	return s.assemble(spec, x, y)
}

// findKey chooses an array by the given name or by the usual ones.
func findKey(keys []string, given, option string, usual []string) (string, error) {
	list := listColumns(keys)
	if given != "" {
		if !slices.Contains(keys, given) {
			return "", specErrorf("no array %s in it; %s", quote(given), columnHint(given, keys))
		}
		return given, nil
	}
	for _, k := range usual {
		if slices.Contains(keys, k) {
			return k, nil
		}
	}
	return "", specErrorf("none of its arrays (%s) has a usual name; choose with ?%s=KEY", list, option)
}

// member opens one array: in place when it is stored, else inflated.
func (s *arrayStore) member(ctx context.Context, b *blob, f *zip.File) (*npy.Array, error) {
	if err := checkZipped(f); err != nil {
		return nil, err
	}
	if f.Method == zip.Store {
		at, err := f.DataOffset()
		if err != nil {
			return nil, formatErrorf("%w; the file is damaged", err)
		}
		size := int64(min(f.UncompressedSize64, uint64(max(b.size-at, 0))))
		return openArray(&blob{ReaderAt: b.section(at, size), size: size, close: func() error { return nil }})
	}
	r, err := f.Open()
	if err != nil {
		return nil, formatErrorf("%w; the file is damaged", err)
	}
	inner, err := spill(ctx, r, int64(min(f.CompressedSize64, inflateLimit)))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	s.blobs = append(s.blobs, inner)
	return openArray(inner)
}
