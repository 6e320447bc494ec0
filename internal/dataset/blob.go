package dataset

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ucan/internal/npy"
	"ucan/runtime/files"
)

const (
	// inflateInMemory is how many bytes of a compressed file are held in memory;
	// a longer one is inflated into a temporary file.
	inflateInMemory = 128 << 20
	// inflateLimit bounds what a compressed file may inflate to, so that a small
	// hostile file cannot fill the disk.
	inflateLimit = 64 << 30
)

// blob is a file with random access, already inflated when it was compressed.
type blob struct {
	io.ReaderAt
	size  int64
	close func() error
}

func memoryBlob(b []byte) *blob {
	return &blob{ReaderAt: bytes.NewReader(b), size: int64(len(b)), close: func() error { return nil }}
}

// section is the reader of the blob's bytes [off, off+n).
func (b *blob) section(off, n int64) *io.SectionReader { return io.NewSectionReader(b, off, n) }

// readAt fills dst from off; a short read is an error.
func (b *blob) readAt(dst []byte, off int64) error {
	return npy.ReadAt(b.ReaderAt, dst, off)
}

// openBlob opens a regular file; gzip, bzip2 and xz are recognised by their magic numbers,
// whatever the name.
func openBlob(ctx context.Context, path string) (*blob, error) {
	f, err := files.Open(path)
	if errors.Is(err, files.ErrIrregular) {
		return nil, specErrorf("%w, or use folder:DIR for a folder of images", err)
	}
	if err != nil {
		return nil, pathError(err)
	}
	b, err := newBlob(ctx, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %q: %w", path, err), f.Close())
	}
	return b, nil
}

func newBlob(ctx context.Context, f *os.File) (*blob, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	begin := make([]byte, 64)
	n, _ := f.ReadAt(begin, 0)
	p, err := findPacking(begin[:n])
	if err != nil {
		return nil, err
	}
	if p == nil {
		return &blob{ReaderAt: f, size: st.Size(), close: f.Close}, nil
	}
	b, err := inflate(ctx, f, st.Size(), p)
	if err != nil {
		return nil, err
	}
	return b, f.Close()
}

// inflate unpacks a compressed file into memory, or into a temporary file when long.
func inflate(ctx context.Context, r io.Reader, packed int64, p *packing) (*blob, error) {
	zr, err := p.open(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return nil, formatErrorf("%s header: %w; the file is damaged, fetch it again", p.name, err)
	}
	return spill(ctx, zr, packed)
}

// spill reads all of an inflating stream, into memory or a temporary file. packed is what
// it was inflated from.
func spill(ctx context.Context, r io.Reader, packed int64) (*blob, error) {
	limit := min(inflateLimit, max(maxInflated, maxRatio*min(packed, inflateLimit)))
	src := files.WithContext(ctx, r)
	var buf bytes.Buffer
	_, err := io.CopyN(&buf, src, inflateInMemory)
	if errors.Is(err, io.EOF) {
		return memoryBlob(buf.Bytes()), nil
	}
	if err != nil {
		return nil, inflateError(err)
	}
	tmp, err := os.CreateTemp("", "ucan-data-*")
	if err != nil {
		return nil, fmt.Errorf("store the inflated data: %w; unpack the file by hand", err)
	}
	name := tmp.Name()
	discard := func() error {
		closeErr, rmErr := tmp.Close(), os.Remove(name)
		if errors.Is(rmErr, fs.ErrNotExist) {
			rmErr = nil
		}
		return errors.Join(closeErr, rmErr)
	}
	n, err := io.Copy(tmp, io.MultiReader(&buf, io.LimitReader(src, limit-inflateInMemory+1)))
	if err != nil {
		return nil, errors.Join(inflateError(err), discard())
	}
	if n > limit {
		return nil, errors.Join(formatErrorf("its %d bytes inflate to more than %d; unpack it by hand if that is right", packed, limit), discard())
	}
	// Where the system allows it the name goes at once, so that no way of dying
	// leaves the file behind; elsewhere it goes on close.
	_ = os.Remove(name)
	return &blob{ReaderAt: tmp, size: n, close: discard}, nil
}

// inflateError tells a damaged stream from a fault of the file system and from the end of ctx.
func inflateError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("inflate: %w", err)
	}
	return formatErrorf("inflate: %w; the file is damaged or truncated, fetch it again", err)
}

// pathError turns a missing path into an error that matches ErrSpec and says
// what to do; other faults of the file system stay what they are.
func pathError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return specErrorf("%w; check the path", err)
	}
	return err
}
