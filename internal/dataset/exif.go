package dataset

import (
	"bytes"
	"encoding/binary"
)

// orientation is how a camera says that a picture must be turned (Exif 2.3, section 4.6.4, tag
// 0x0112): 1 as it is, 2 to 8 mirrored or turned; 1 where the file says nothing that can be
// understood.
func orientation(b []byte, format string) int {
	var tiff []byte
	switch format {
	case "jpeg":
		tiff = exifOfJPEG(b)
	case "png":
		tiff = exifOfPNG(b)
	case "webp":
		tiff = exifOfWebP(b)
	case "tiff":
		tiff = b
	}
	return orientationTag(tiff)
}

// exifOfJPEG finds the segment APP1 that holds Exif data, before the picture itself.
func exifOfJPEG(b []byte) []byte {
	const app1, startOfScan = 0xe1, 0xda
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		if marker == 0xff { // padding
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 2 + size
		if size < 2 || end > len(b) || marker == startOfScan {
			return nil
		}
		if tiff, ok := bytes.CutPrefix(b[at+4:end], []byte("Exif\x00\x00")); ok && marker == app1 {
			return tiff
		}
		at = end
	}
	return nil
}

// exifOfPNG finds the chunk eXIf.
func exifOfPNG(b []byte) []byte {
	for at := 8; at+12 <= len(b); {
		size := int64(binary.BigEndian.Uint32(b[at:]))
		end := int64(at) + 8 + size
		if end+4 > int64(len(b)) {
			return nil
		}
		if string(b[at+4:at+8]) == "eXIf" {
			return b[at+8 : end]
		}
		at = int(end) + 4 // behind the checksum
	}
	return nil
}

// exifOfWebP finds the chunk EXIF of the RIFF container.
func exifOfWebP(b []byte) []byte {
	for at := 12; at+8 <= len(b); {
		size := int64(binary.LittleEndian.Uint32(b[at+4:]))
		end := int64(at) + 8 + size
		if end > int64(len(b)) {
			return nil
		}
		if string(b[at:at+4]) == "EXIF" {
			return bytes.TrimPrefix(b[at+8:end], []byte("Exif\x00\x00"))
		}
		at = int(end + size%2)
	}
	return nil
}

// orientationTag reads the tag in the first directory of a TIFF structure.
func orientationTag(tiff []byte) int {
	const tag, short, long, entrySize = 0x0112, 3, 4, 12
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := int(order.Uint16(tiff[at:]))
	directory := tiff[at+2:]
	for i := 0; i < entries && (i+1)*entrySize <= len(directory); i++ {
		e := directory[i*entrySize:]
		if order.Uint16(e) != tag {
			continue
		}
		value := 0
		switch order.Uint16(e[2:]) {
		case short:
			value = int(order.Uint16(e[8:]))
		case long:
			value = int(min(order.Uint32(e[8:]), 9))
		}
		if value >= 1 && value <= 8 {
			return value
		}
		return 1
	}
	return 1
}

// turned is the picture as its orientation wants it.
func (b *bitmap) turned(orientation int) *bitmap {
	if orientation == 1 {
		return b
	}
	swap := orientation >= 5
	mirror := orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 // left and right
	flip := orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7   // top and bottom
	out := newBitmap(b.c, b.h, b.w)
	if swap {
		out = newBitmap(b.c, b.w, b.h)
	}
	at := 0
	for c := range b.c {
		for y := range out.h {
			for x := range out.w {
				fromX, fromY := x, y
				if swap {
					fromX, fromY = y, x
				}
				if mirror {
					fromX = b.w - 1 - fromX
				}
				if flip {
					fromY = b.h - 1 - fromY
				}
				out.pix[at] = b.pix[(c*b.h+fromY)*b.w+fromX]
				at++
			}
		}
	}
	return out
}
