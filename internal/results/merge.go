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
	// Even says that the indices have one distance. Otherwise a shard, or a part of one, is
	// missing.
	Even bool `json:"even"`
}

// MergeShards joins the outputs of the shards of one run: tables into OUT.tsv, certificates into
// OUT.jsonl, and both where the parts are of both kinds, which must then show the same rows. An OUT
// with the ending of the only kind stands as it is.
//
// Shards may differ in how many samples a session took at once and on how many threads, which each
// machine measures. Errors match [ErrExists], [ErrFormat] or [ErrMismatch].
func MergeShards(out string, parts []string) (Merged, error) {
	if len(parts) == 0 {
		return Merged{}, kindErrorf(ErrMismatch, "merge into %q: no parts given; name the outputs of the shards", out)
	}
	stem := strings.TrimSuffix(strings.TrimSuffix(out, ".tsv"), ".jsonl")
	kinds := []merging{{output: stem + ".tsv"}, {output: stem + ".jsonl", isJSON: true}}
	for _, path := range parts {
		t, err := readPart(path)
		if err != nil {
			return Merged{}, fmt.Errorf("merge %q: %w", path, err)
		}
		m := &kinds[0]
		if t.json {
			m = &kinds[1]
		}
		if err = m.add(path, t, "configuration.batch", "configuration.intra_op"); err != nil {
			return Merged{}, err
		}
	}
	kinds = slices.DeleteFunc(kinds, func(m merging) bool { return m.first == "" })
	for i := range kinds {
		if err := kinds[i].join(); err != nil {
			return Merged{}, err
		}
	}
	if len(kinds) == 2 && !slices.EqualFunc(kinds[0].lines, kinds[1].lines, func(a, b mergedLine) bool { return a.row.Same(b.row) }) {
		return Merged{}, kindErrorf(ErrMismatch, "merge: tables and certificates do not show the same inputs; give both of every shard")
	}
	m := Merged{Even: true}
	m.describe(kinds[0].lines)
	for _, one := range kinds {
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
	isJSON bool
	first  string // the part whose record the output takes
	run    Run
	differ []string // the settings in which parts differ
	lines  []mergedLine
}

// readPart reads a part, which must be whole.
func readPart(path string) (Table, error) {
	t, err := ReadFile(path)
	switch {
	case err != nil:
	case t.cohen:
		err = kindErrorf(ErrFormat, "it has only the columns of Cohen's logs")
	case t.torn:
		err = kindErrorf(ErrFormat, "its last line is torn; finish it with --resume first")
	}
	return t, err
}

// add takes a part, which must be of the run of those before: their records must agree in all but
// the settings under the given keys (for example "configuration.batch").
func (m *merging) add(path string, t Table, keys ...string) error {
	r, err := ReadRun(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kindErrorf(ErrMismatch, "merge %q: its record %q is missing, so nothing tells how it was made", path, RunPath(path))
	}
	if err != nil {
		return err
	}
	if m.first == "" {
		m.first, m.run = path, r
	}
	other, err := compareParts(m.first, path, m.run, r, keys)
	if err != nil {
		return err
	}
	m.differ = append(m.differ, other...)
	m.run, _ = m.run.withProcessors(r.Processors())
	for i, row := range t.Rows {
		end := t.size
		if i+1 < len(t.starts) {
			end = t.starts[i+1]
		}
		m.lines = append(m.lines, mergedLine{row, path, t.starts[i], int(end - t.starts[i])})
	}
	return nil
}

// join sorts the lines, no input twice, and takes the settings in which parts differ from the
// record.
func (m *merging) join() error {
	slices.SortStableFunc(m.lines, func(a, b mergedLine) int { return a.row.Index - b.row.Index })
	for i := 1; i < len(m.lines); i++ {
		if a, b := m.lines[i-1], m.lines[i]; a.row.Index == b.row.Index {
			return kindErrorf(ErrMismatch, "merge: input %d is in both %q and %q; give each shard once", a.row.Index, a.part, b.part)
		}
	}
	for _, key := range m.differ {
		drop(m.run.Configuration, strings.Split(strings.TrimPrefix(key, "configuration."), "."))
	}
	return nil
}

// compareParts compares the records of two parts, and returns those of the given keys in which they
// differ.
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
	to := newFolder(folder)
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
			err = to.Copy(c, newFolder(from))
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
