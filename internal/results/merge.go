package results

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// Merged is what [MergeShards] wrote.
type Merged struct {
	// Outputs are the paths that were written.
	Outputs []string `json:"outputs"`
	// Inputs is the number of inputs, from the index First to Last.
	Inputs int `json:"inputs"`
	First  int `json:"first"`
	Last   int `json:"last"`
	// Even says that the indices have one distance. Otherwise a shard, or a part of one, is missing.
	Even bool `json:"even"`
}

// MergeShards joins the outputs of the shards of one run: tables into OUT.tsv, certificates into OUT.jsonl, and both where
// the parts are of both kinds, which must then show the same rows. An OUT with the ending of the only kind stands as it is.
//
// Shards may differ in how many samples a session took at once and on how many threads, which each machine measures.
// Errors match [ErrExists], [ErrFormat] or [ErrMismatch].
func MergeShards(out string, parts []string) (Merged, error) {
	var tables, certificates []string
	for _, path := range parts {
		isJSON, err := holdsCertificates(path)
		switch {
		case err != nil:
			return Merged{}, fmt.Errorf("merge %q: %w", path, err)
		case isJSON:
			certificates = append(certificates, path)
		default:
			tables = append(tables, path)
		}
	}
	if len(parts) == 0 {
		return Merged{}, kindErrorf(ErrMismatch, "merge into %q: no parts given; name the outputs of the shards", out)
	}
	stem := strings.TrimSuffix(strings.TrimSuffix(out, ".tsv"), ".jsonl")
	var all []merging
	for _, kind := range []struct {
		ending string
		parts  []string
	}{{".tsv", tables}, {".jsonl", certificates}} {
		if len(kind.parts) == 0 {
			continue
		}
		m, err := readParts(stem+kind.ending, kind.parts, "configuration.batch", "configuration.intra_op")
		if err != nil {
			return Merged{}, err
		}
		all = append(all, m)
	}
	if len(all) == 2 && !slices.EqualFunc(all[0].lines, all[1].lines, func(a, b mergedLine) bool { return a.row.Same(b.row) }) {
		return Merged{}, kindErrorf(ErrMismatch, "merge: tables and certificates do not show the same inputs; give both of every shard")
	}
	m := Merged{Even: true}
	m.describe(all[0].lines)
	for _, one := range all {
		if err := one.write(); err != nil {
			return m, err
		}
		m.Outputs = append(m.Outputs, one.output)
	}
	return m, nil
}

// describe takes the indices of the lines into account.
func (m *Merged) describe(lines []mergedLine) {
	if m.Inputs = len(lines); m.Inputs == 0 {
		return
	}
	at := func(i int) int { return lines[i].row.Index }
	m.First, m.Last = at(0), at(len(lines)-1)
	for i := 2; i < len(lines); i++ {
		m.Even = m.Even && at(i)-at(i-1) == at(1)-at(0)
	}
}

// mergedLine is one row of a part, and where its bytes lie.
type mergedLine struct {
	row    Row
	part   string
	offset int64
	length int
}

// merging is an output that is about to be written.
type merging struct {
	output string
	run    Run
	lines  []mergedLine
	isJSON bool
}

// readParts reads the outputs of shards, all tables or all certificates. The parts must be whole and of one run: their
// records must agree in all but the settings under the given keys (for example "configuration.batch"); no input may appear
// twice. The record of the output is that of the first part without the settings in which the parts differ.
func readParts(output string, parts []string, keys ...string) (m merging, err error) {
	m.output = output
	var differ []string
	for i, path := range parts {
		lines, isJSON, err := readPart(path)
		if err != nil {
			return m, fmt.Errorf("merge %q: %w", path, err)
		}
		r, err := ReadRun(path)
		if errors.Is(err, fs.ErrNotExist) {
			return m, kindErrorf(ErrMismatch, "merge %q: its record %q is missing, so nothing tells how it was made", path, RunPath(path))
		}
		if err != nil {
			return m, err
		}
		if i == 0 {
			m.run, m.isJSON = r, isJSON
		}
		other, err := compareParts(parts[0], path, m.run, r, keys)
		if err != nil {
			return m, err
		}
		differ = append(differ, other...)
		m.run, _ = m.run.withProcessors(r.Processors())
		m.lines = append(m.lines, lines...)
	}
	slices.SortStableFunc(m.lines, func(a, b mergedLine) int { return a.row.Index - b.row.Index })
	for i := 1; i < len(m.lines); i++ {
		if a, b := m.lines[i-1], m.lines[i]; a.row.Index == b.row.Index {
			return m, kindErrorf(ErrMismatch, "merge: input %d is in both %q and %q; give each shard once", a.row.Index, a.part, b.part)
		}
	}
	for _, key := range differ {
		drop(m.run.Configuration, strings.Split(strings.TrimPrefix(key, "configuration."), "."))
	}
	return m, nil
}

// holdsCertificates tells certificates from a table by the first byte.
func holdsCertificates(path string) (_ bool, err error) {
	f, err := files.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var first [1]byte
	if _, err = f.Read(first[:]); err != nil {
		return false, kindErrorf(ErrFormat, "it is empty; finish the shard first")
	}
	return first[0] == '{', nil
}

// readPart reads the lines of one part.
func readPart(path string) (out []mergedLine, isJSON bool, err error) {
	if isJSON, err = holdsCertificates(path); err != nil {
		return nil, false, err
	}
	f, err := files.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	limit := maxTSVLine
	if isJSON {
		limit = certificate.MaxLine
	}
	offset := int64(0)
	tail, _, err := lines(f, limit, func(n int, text []byte) error {
		at := offset
		offset += int64(len(text)) + 1
		if n == 1 && !isJSON {
			if string(text)+"\n" != header() {
				return kindErrorf(ErrFormat, "not the header of a table of ours")
			}
			return nil
		}
		row, rowErr := parseLine(text, isJSON)
		if rowErr == nil {
			out = append(out, mergedLine{row, path, at, len(text) + 1})
		}
		return rowErr
	})
	if err == nil && len(tail) > 0 {
		err = kindErrorf(ErrFormat, "its last line is torn; finish it with --resume first")
	}
	return out, isJSON, err
}

func parseLine(text []byte, isJSON bool) (Row, error) {
	if isJSON {
		return ParseCertificate(text)
	}
	return parseRow(strings.Split(string(text), "\t"), false)
}

// compareParts compares the records of two parts, and returns those of the given keys in which they differ.
func compareParts(a, b string, ra, rb Run, keys []string) (differ []string, err error) {
	diffs, err := ra.Compare(rb)
	if err != nil {
		return nil, err
	}
	for _, d := range diffs {
		at := slices.IndexFunc(keys, func(k string) bool { return d.Key == k || strings.HasPrefix(d.Key, k+".") })
		if at < 0 {
			return nil, kindErrorf(ErrMismatch, "merge: %q and %q are of different runs (%s: %s and %s)", a, b, d.Key, d.Stored, d.Now)
		}
		differ = append(differ, keys[at])
	}
	return differ, nil
}

// drop removes one setting of a tree.
func drop(tree map[string]any, path []string) {
	for len(path) > 1 {
		sub, ok := tree[path[0]].(map[string]any)
		if !ok {
			return
		}
		tree, path = sub, path[1:]
	}
	delete(tree, path[0])
}

// write writes fields, record and lines, these in one step. The output must not exist.
func (m merging) write() (err error) {
	l, err := lock(m.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if _, err = os.Lstat(m.output); err == nil {
		return kindErrorf(ErrExists, "merge: %q exists; choose another name", m.output)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("merge: %w", err)
	}
	if err = m.copyFields(); err != nil {
		return err
	}
	if err = m.run.Write(m.output); err != nil {
		return err
	}
	if err = atomicfile.Write(m.output, m.writeLines); err != nil {
		return fmt.Errorf("merge into %q: %w; free some space, or write to another folder", filepath.Base(m.output), err)
	}
	return nil
}

// writeLines writes the lines, of a table behind its header.
func (m merging) writeLines(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<16)
	if !m.isJSON {
		if _, err := w.WriteString(header()); err != nil {
			return err
		}
	}
	err := eachText(m.lines, func(_ mergedLine, text []byte) error {
		_, writeErr := w.Write(text)
		return writeErr
	})
	return errors.Join(err, w.Flush())
}

// copyFields copies the fields that lie beside the parts to the output's folder.
func (m merging) copyFields() error {
	folder := filepath.Dir(m.output)
	to := NewFolder(folder)
	if !m.isJSON {
		return nil
	}
	return eachText(m.lines, func(line mergedLine, text []byte) error {
		from := filepath.Dir(line.part)
		if from == folder || !bytes.Contains(text, []byte(`.npy"`)) {
			return nil
		}
		c, err := certificate.Parse(text)
		if err == nil {
			err = to.Copy(c, NewFolder(from))
		}
		if err != nil {
			return fmt.Errorf("merge %q: input %d: %w", line.part, line.row.Index, err)
		}
		return nil
	})
}

// eachText calls f with the bytes of every line. Each part is open while its lines are read.
func eachText(all []mergedLine, f func(line mergedLine, text []byte) error) (err error) {
	open := map[string]*os.File{}
	defer func() {
		for _, file := range open {
			err = errors.Join(err, file.Close())
		}
	}()
	var text []byte
	for _, line := range all {
		file := open[line.part]
		if file == nil {
			if file, err = files.Open(line.part); err != nil {
				return err
			}
			open[line.part] = file
		}
		text = slices.Grow(text[:0], line.length)[:line.length]
		if _, err = file.ReadAt(text, line.offset); err != nil {
			return err
		}
		if err = f(line, text); err != nil {
			return err
		}
	}
	return nil
}
