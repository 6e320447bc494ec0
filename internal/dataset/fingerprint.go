package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"ucan/runtime/files"
)

const (
	// fingerprintWhole is the size up to which a file's whole contents count.
	fingerprintWhole = 256 << 20
	// fingerprintSamples is how many blocks of a larger file count.
	fingerprintSamples = 256
	fingerprintBlock   = 1 << 16
)

// fingerprint accumulates what identifies the stored data. Every part is
// preceded by its length, so that no two sequences of parts look alike.
type fingerprint struct{ h hash.Hash }

func newFingerprint() fingerprint { return fingerprint{h: sha256.New()} }

func (f fingerprint) number(v int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	f.h.Write(b[:])
}

func (f fingerprint) text(s string) {
	f.number(int64(len(s)))
	f.h.Write([]byte(s))
}

func (f fingerprint) bytes(b []byte) {
	f.number(int64(len(b)))
	f.h.Write(b)
}

// blob adds the inflated contents, or evenly spaced blocks of a large file.
func (f fingerprint) blob(ctx context.Context, b *blob) error {
	f.number(b.size)
	if b.size <= fingerprintWhole {
		if _, err := io.Copy(f.h, files.WithContext(ctx, b.section(0, b.size))); err != nil {
			return fmt.Errorf("hash the data: %w", err)
		}
		return nil
	}
	buf := make([]byte, fingerprintBlock)
	step := (b.size - fingerprintBlock) / (fingerprintSamples - 1)
	for i := range int64(fingerprintSamples) {
		if err := b.readAt(buf, i*step); err != nil {
			return fmt.Errorf("hash the data: %w", err)
		}
		f.h.Write(buf)
	}
	return ctx.Err()
}

func (f fingerprint) String() string { return hex.EncodeToString(f.h.Sum(nil)) }
