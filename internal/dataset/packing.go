package dataset

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"

	"github.com/ulikunitz/xz"
)

// packing is a way in which a whole file is compressed.
type packing struct {
	name, magic string
	// open begins to unpack; nil where that is not done here, and remedy says what to do then.
	open   func(io.Reader) (io.Reader, error)
	remedy string
}

func packings() []packing {
	return []packing{
		{name: "gzip", magic: "\x1f\x8b", open: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{name: "bzip2", magic: "BZh", open: func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
		{name: "xz", magic: "\xfd7zXZ\x00", open: func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }},
		{name: "zstd", magic: "\x28\xb5\x2f\xfd", remedy: "unpack it with zstd -d, or pack it anew with gzip, bzip2 or xz"},
		{name: "7z", magic: "7z\xbc\xaf\x27\x1c", remedy: "unpack it, and use folder:DIR for the images in it"},
		{name: "rar", magic: "Rar!\x1a\x07", remedy: "unpack it, and use folder:DIR for the images in it"},
	}
}

// maxXZDictionary bounds what a .xz file asks to keep in memory; xz -9 asks for 64 MiB.
const maxXZDictionary = 256 << 20

// findPacking recognises a compressed file by its first bytes, whatever its name; nil for one that
// is not compressed.
func findPacking(begin []byte) (*packing, error) {
	for _, p := range packings() {
		if !bytes.HasPrefix(begin, []byte(p.magic)) {
			continue
		}
		// Behind "BZh" and a digit, a block begins with the digits of π, an empty file ends with
		// those of √π.
		if p.name == "bzip2" && (len(begin) < 10 || string(begin[4:10]) != "1AY&SY" && string(begin[4:10]) != "\x17rE8P\x90") {
			continue
		}
		if p.open == nil {
			return nil, formatErrorf("it is packed with %s, which is not read here; %s", p.name, p.remedy)
		}
		if p.name == "xz" && xzDictionary(begin) > maxXZDictionary {
			return nil, formatErrorf("to unpack it takes more than %d bytes of memory; unpack it by hand", int64(maxXZDictionary))
		}
		return &p, nil
	}
	return nil, nil
}

// xzDictionary is the memory that the first block of a .xz file asks for, 0 where it does not tell.
// Its header (The .xz File Format, section 3.1) has the size, flags, up to two optional sizes, and
// of each filter the identifier, the number of properties and these; of LZMA2 (0x21) it is one
// byte.
func xzDictionary(begin []byte) uint64 {
	const header = 12 // of the stream
	if len(begin) < header+2 || begin[header+1]&0xc3 != 0 {
		return 0
	}
	at := header + 2
	if i := bytes.Index(begin[at:], []byte{0x21, 0x01}); i >= 0 && at+i+2 < len(begin) {
		bits := begin[at+i+2] & 0x3f
		return (2 | uint64(bits&1)) << (bits/2 + 11)
	}
	return 0
}
