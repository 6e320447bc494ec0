package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"ucan/internal/atomicfile"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/onnx/sidefile"
)

// ErrOutside is the error, possibly wrapped, for external data whose path leads out of the model's
// folder.
var ErrOutside = errors.New("external data lies outside the model's folder")

// ExternalTensors returns the names of the tensors whose data is in another file, those inside
// subgraphs and attributes included.
func (m *Model) ExternalTensors() []string {
	var out []string
	m.eachExternal(func(t *onnxpb.TensorProto) { out = append(out, t.GetName()) })
	return out
}

// ExternalFiles returns the files that hold the model's external data, as the model names them
// (relative to its own folder), sorted and each once. Whether they exist, and stay in the folder,
// [Model.LoadExternal] checks.
func (m *Model) ExternalFiles() []string {
	var out []string
	m.eachExternal(func(t *onnxpb.TensorProto) {
		for _, e := range t.GetExternalData() {
			if e.GetKey() == "location" {
				out = append(out, e.GetValue())
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// eachExternal visits the tensors whose data is in another file.
func (m *Model) eachExternal(visit func(*onnxpb.TensorProto)) {
	_ = eachTensor(m.p.Graph, func(t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
		if isExternal(t) {
			visit(t)
		}
		return t, nil
	})
}

// LoadExternal returns a copy of the model with all external data read in from files below dir,
// under the limits given.
//
// A path must be relative and stay below dir, after following symbolic links too; it must name a
// regular file. In the cache of a model hub, links may lead to its blobs: see package sidefile.
// Offset, length and dimensions must agree with each other and with the size of the file before
// anything is allocated.
func (m *Model) LoadExternal(dir string, lim Limits) (*Model, error) {
	if err := lim.Validate(); err != nil {
		return nil, err
	}
	if len(m.ExternalTensors()) == 0 {
		return m, nil
	}
	root, err := sidefile.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("onnx: open the model's folder: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing was written through it
	left := lim.ExternalBytes
	p := cloneSharing(m.p)
	err = eachTensor(p.Graph, func(t *onnxpb.TensorProto) (*onnxpb.TensorProto, error) {
		if !isExternal(t) {
			return t, nil
		}
		raw, rerr := readExternal(root, t, left)
		if rerr != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.GetName(), rerr)
		}
		left -= int64(len(raw))
		u := shallow(t, "external_data").(*onnxpb.TensorProto)
		u.DataLocation = nil
		u.RawData = raw
		return u, nil
	})
	if err != nil {
		return nil, err
	}
	return &Model{p: p}, nil
}

// readExternal reads the data of one tensor, of at most left bytes.
func readExternal(root *sidefile.Folder, t *onnxpb.TensorProto, left int64) ([]byte, error) {
	location, offset, length, err := externalFields(t)
	if err != nil {
		return nil, err
	}
	elems, err := Elements(t.Dims)
	if err != nil {
		return nil, err
	}
	size := int64(TensorType(t).Size())
	if size == 0 {
		return nil, fmt.Errorf("onnx: external elements of type %v are not supported", TensorType(t))
	}
	if elems > (1<<62)/size {
		return nil, fmt.Errorf("%w: dimensions %v", ErrLimit, t.Dims)
	}
	want := elems * size
	if length >= 0 && length != want {
		return nil, fmt.Errorf("%w: external length %d, but dimensions %v of %v take %d bytes", ErrMalformed, length, t.Dims, TensorType(t), want)
	}
	if want > left {
		return nil, fmt.Errorf("%w: external data of more than the allowed size", ErrLimit)
	}
	f, err := root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, openError(location, err)
	}
	defer func() { _ = f.Close() }() // opened for reading
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("onnx: external file %q: %w", location, err)
	}
	if offset > st.Size() || want > st.Size()-offset {
		return nil, fmt.Errorf("%w: external file %q has %d bytes, tensor needs %d from offset %d", ErrMalformed, location, st.Size(), want, offset)
	}
	raw := make([]byte, want)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, want), raw); err != nil {
		return nil, fmt.Errorf("onnx: read external file %q: %w", location, err)
	}
	return raw, nil
}

// openError tells a path that leads out of the folder from other failures.
func openError(location string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("onnx: external file %q is missing beside the model: %w", location, fs.ErrNotExist)
	case errors.Is(err, sidefile.ErrOutside):
		return fmt.Errorf("%w: %q", ErrOutside, location)
	}
	return fmt.Errorf("onnx: external file %q: %w", location, err)
}

// externalFields reads and checks the description of external data; length is -1 when it is not
// given.
func externalFields(t *onnxpb.TensorProto) (location string, offset, length int64, err error) {
	length = -1
	for _, e := range t.GetExternalData() {
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			if offset, err = strconv.ParseInt(e.GetValue(), 10, 64); err != nil || offset < 0 {
				return "", 0, 0, fmt.Errorf("%w: external offset %q", ErrMalformed, e.GetValue())
			}
		case "length":
			if length, err = strconv.ParseInt(e.GetValue(), 10, 64); err != nil || length < 0 {
				return "", 0, 0, fmt.Errorf("%w: external length %q", ErrMalformed, e.GetValue())
			}
		}
	}
	if location == "" || strings.ContainsRune(location, 0) {
		return "", 0, 0, fmt.Errorf("%w: external data names no file", ErrMalformed)
	}
	if strings.Contains(location, `\`) || strings.HasPrefix(location, "/") || !filepath.IsLocal(filepath.FromSlash(location)) {
		return "", 0, 0, fmt.Errorf("%w: %q", ErrOutside, location)
	}
	return location, offset, length, nil
}

// eachTensor calls f for every tensor of the graph, its nodes' attributes and subgraphs, and puts
// what f returns in its place. With an f that returns its argument it changes nothing.
func eachTensor(g *onnxpb.GraphProto, f func(*onnxpb.TensorProto) (*onnxpb.TensorProto, error)) error {
	replace := func(at **onnxpb.TensorProto) error {
		t, err := f(*at)
		if err == nil && t != *at { // models share what is not replaced
			*at = t
		}
		return err
	}
	for i := range g.GetInitializer() {
		if err := replace(&g.Initializer[i]); err != nil {
			return err
		}
	}
	for _, n := range g.GetNode() {
		for _, a := range n.GetAttribute() {
			if a.T != nil {
				if err := replace(&a.T); err != nil {
					return err
				}
			}
			for i := range a.Tensors {
				if err := replace(&a.Tensors[i]); err != nil {
					return err
				}
			}
		}
		for _, sub := range subgraphs(n) {
			if err := eachTensor(sub, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteExternal writes the model to path and every initialiser of at least threshold bytes to the
// file path + ".data" beside it, aligned to 4096 bytes. It is the way to write models over 2 GiB.
// Both files appear complete or not at all; the data file comes first.
func (m *Model) WriteExternal(path string, threshold int) error {
	p := cloneSharing(m.p)
	name := filepath.Base(path) + ".data"
	var parts [][]byte
	offset := int64(0)
	for i, t := range p.Graph.Initializer {
		if len(t.RawData) < threshold || len(t.RawData) == 0 || isExternal(t) {
			continue
		}
		u := shallow(t, "raw_data").(*onnxpb.TensorProto)
		u.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		u.ExternalData = []*onnxpb.StringStringEntryProto{
			{Key: proto.String("location"), Value: proto.String(name)},
			{Key: proto.String("offset"), Value: proto.String(strconv.FormatInt(offset, 10))},
			{Key: proto.String("length"), Value: proto.String(strconv.Itoa(len(t.RawData)))},
		}
		p.Graph.Initializer[i] = u
		parts = append(parts, t.RawData)
		offset = (offset + int64(len(t.RawData)) + 4095) &^ 4095
	}
	if len(parts) > 0 {
		err := atomicfile.Write(path+".data", func(w io.Writer) error {
			at := 0
			for _, part := range parts {
				padding := -at & 4095 // to the offset above
				if _, err := w.Write(make([]byte, padding)); err != nil {
					return err
				}
				if _, err := w.Write(part); err != nil {
					return err
				}
				at += padding + len(part)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("onnx: write external data: %w", err)
		}
	}
	return (&Model{p: p}).Write(path)
}
