package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth bounds the nesting of messages: graphs within attributes within nodes. Real models stay
// below 50.
const maxDepth = 400

// scanMessages walks over the encoded message without building it and fails when it holds more than
// limit messages or repeated scalars outside packed fields, is nested too deeply, or is not well
// formed.
func scanMessages(b []byte, md protoreflect.MessageDescriptor, limit int64) error {
	s := scanner{left: limit, limit: limit}
	return s.message(b, md, 0)
}

type scanner struct{ left, limit int64 }

func (s *scanner) message(b []byte, md protoreflect.MessageDescriptor, depth int) error {
	if depth >= maxDepth {
		return fmt.Errorf("%w: nested more than %d messages deep", ErrLimit, maxDepth)
	}
	s.left--
	if s.left < 0 {
		return fmt.Errorf("%w: more than %d messages", ErrLimit, s.limit)
	}
	fields := md.Fields()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		fd := fields.ByNumber(num)
		if fd != nil && typ == protowire.BytesType && fd.Kind() == protoreflect.MessageKind {
			sub, size := protowire.ConsumeBytes(b)
			if size < 0 {
				return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(size))
			}
			if err := s.message(sub, fd.Message(), depth+1); err != nil {
				return err
			}
			b = b[size:]
			continue
		}
		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		if fd != nil && fd.IsList() && (fd.Kind() == protoreflect.BytesKind || fd.Kind() == protoreflect.StringKind) {
			// An empty string takes 2 bytes here and a slice header there.
			s.left--
			if s.left < 0 {
				return fmt.Errorf("%w: more than %d strings and messages", ErrLimit, s.limit)
			}
		}
		b = b[n:]
	}
	return nil
}
