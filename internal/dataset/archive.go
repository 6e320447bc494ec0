package dataset

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// entry is one encoded image of a folder or archive.
type entry struct {
	name  string // slash-separated path inside the source
	size  int64
	label int
	open  func() (io.ReadCloser, error)
}

// firstImages is how many images are looked at to decide on channels.
const firstImages = 64

// imageStore is a set of encoded images, decoded one at a time when asked for.
type imageStore struct {
	entries  []entry
	folders  []string // the names of all folders, where they are known
	channels int
	notes    []string
	closer   func() error
}

func openImages(ctx context.Context, spec Spec) (backend, Info, error) {
	s := &imageStore{closer: func() error { return nil }}
	var err error
	if spec.Kind == "folder" {
		err = s.addFolder(ctx, spec.Paths[0])
	} else {
		var b *blob
		if b, err = openBlob(ctx, spec.Paths[0]); err != nil {
			return nil, Info{}, err
		}
		s.closer = b.close
		if spec.Kind == "zip" {
			err = s.addZip(b)
		} else {
			err = s.addTar(ctx, b)
		}
	}
	if err == nil && len(s.entries) == 0 {
		err = formatErrorf("it holds no image (png, jpg, gif, bmp, tiff, webp)")
	}
	var info Info
	if err == nil {
		info, err = s.assemble(ctx, spec)
	}
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("read %q: %w", spec.Paths[0], err), s.closer())
	}
	return s, info, nil
}

// assemble sorts the entries and finds labels and channels.
func (s *imageStore) assemble(ctx context.Context, spec Spec) (Info, error) {
	slices.SortStableFunc(s.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(s.entries); i++ {
		if s.entries[i].name == s.entries[i-1].name {
			return Info{}, formatErrorf("two images are named %q", s.entries[i].name)
		}
	}
	info := Info{Name: spec.Kind + ":" + spec.label(0), Image: true, Notes: s.notes}
	if path, ok := spec.Params["labels"]; ok {
		table, err := readLabels(ctx, path, filepath.Dir(spec.Paths[0]), spec.Params["label"])
		if err != nil {
			return Info{}, err
		}
		if err := s.assign(table); err != nil {
			return Info{}, fmt.Errorf("labels %q: %w", path, err)
		}
		info.Labels, info.Classes = table.names, len(table.names)
		info.sorted = len(table.names) > 0
		info.classTexts = textsOf(nil, table.names)
	} else {
		if _, ok := spec.Params["label"]; ok {
			return Info{}, specErrorf("option label= names a column of a label file; give the file with labels=CSV")
		}
		s.nameClasses(&info)
	}
	s.channels = s.lookAtFirst()
	switch c := spec.Params["channels"]; c {
	case "":
	case "1", "3":
		s.channels = int(c[0] - '0')
		info.Name += "?channels=" + c
	default:
		return Info{}, specErrorf("option channels=%s: want 1 or 3", c)
	}
	info.Notes = s.notes
	return info, nil
}

func (s *imageStore) addZip(b *blob) error {
	zr, err := zip.NewReader(b, b.size)
	if err != nil {
		return formatErrorf("%w; it is not a zip archive, or it is truncated", err)
	}
	if len(zr.File) > maxMembers {
		return formatErrorf("it has %d members, more than %d; split it", len(zr.File), maxMembers)
	}
	m := members{store: s, zip: true}
	for _, f := range zr.File {
		name, ok, err := m.name(f.Name, f.FileInfo().IsDir())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if f.Mode()&fs.ModeSymlink != 0 {
			m.link(f.Name)
			continue
		}
		if err = checkZipped(f); err != nil {
			return err
		}
		size := int64(min(f.UncompressedSize64, 1<<62))
		if err := s.add(entry{name: name, size: size, open: f.Open}); err != nil {
			return err
		}
	}
	m.note()
	return nil
}

// addTar notes where the images lie; they are read from there when asked for.
func (s *imageStore) addTar(ctx context.Context, b *blob) error {
	r := b.section(0, b.size)
	tr := tar.NewReader(r)
	m := members{store: s}
	for members := 0; ctx.Err() == nil; members++ {
		if members > maxMembers {
			return formatErrorf("more than %d members; split it", maxMembers)
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			if len(s.entries) == 0 && b.size == 0 {
				return formatErrorf("it is empty")
			}
			m.note()
			return nil
		}
		if err != nil {
			return formatErrorf("%w after %d images; it is not a tar archive, or it is truncated", err, len(s.entries))
		}
		name, ok, err := m.name(h.Name, h.Typeflag == tar.TypeDir)
		if err != nil {
			return err
		}
		if ok && (h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink) {
			m.link(h.Name)
		}
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if at+h.Size > b.size {
			return formatErrorf("image %s ends beyond the archive: it is truncated, fetch it again", quote(h.Name))
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(b.section(at, h.Size)), nil }
		if err := s.add(entry{name: name, size: h.Size, open: open}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *imageStore) add(e entry) error {
	if len(s.entries) >= maxEntries {
		return formatErrorf("more than %d images; split it", maxEntries)
	}
	e.label = -1
	s.entries = append(s.entries, e)
	return nil
}

// knowFolder remembers a folder, be there images in it or not.
func (s *imageStore) knowFolder(name string) {
	if len(s.folders) < maxFolders {
		s.folders = append(s.folders, name)
	}
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// lookAtFirst looks at the headers of the first images that can be read. channels is 1 when all of
// those are without colour, else 3.
func (s *imageStore) lookAtFirst() (channels int) {
	readable, gray, turned := 0, 0, 0
	for i := range min(len(s.entries), firstImages) {
		b, err := s.read(i)
		if err != nil {
			continue
		}
		isGray, isTurned, err := lookAt(b)
		if err != nil {
			continue
		}
		readable++
		if isGray {
			gray++
		}
		if isTurned {
			turned++
		}
	}
	if turned > 0 {
		s.note("%d of the first %d images are turned or mirrored as their EXIF orientation says; certificates speak of the turned pixels", turned, readable)
	}
	if readable == 0 || gray < readable {
		return 3
	}
	return 1
}

func (s *imageStore) read(i int) (b []byte, err error) {
	e := s.entries[i]
	r, err := e.open()
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", e.name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if b, err = readLimited(r, e.size); err != nil {
		return nil, fmt.Errorf("image %q: %w", e.name, err)
	}
	return b, nil
}

func (s *imageStore) labels() []int {
	labels := make([]int, len(s.entries))
	for i, e := range s.entries {
		labels[i] = e.label
	}
	return labels
}

func (s *imageStore) len() int { return len(s.entries) }

func (s *imageStore) identify(ctx context.Context, f fingerprint) error {
	for _, e := range s.entries {
		f.text(e.name)
		f.number(e.size)
		f.number(int64(e.label))
	}
	return ctx.Err()
}

func (s *imageStore) load(_ context.Context, i int) (record, error) {
	rec := record{label: s.entries[i].label}
	b, err := s.read(i)
	if err != nil {
		return rec, err
	}
	if rec.image, err = decodeImage(b, s.channels); err != nil {
		return rec, fmt.Errorf("image %q: %w", s.entries[i].name, err)
	}
	return rec, nil
}

func (s *imageStore) close() error { return s.closer() }
