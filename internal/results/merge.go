package results

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// mergedLine is one row of a part, as its bytes.
type mergedLine struct {
	index int
	part  string
	text  []byte
}

// Merge joins the outputs of shards, all tables or all certificates, into one
// with rows in index order, byte for byte as they are. The parts must be whole
// and of one run: their records must agree in all but the settings under the
// given keys (for example "configuration.shard"); no input may appear twice.
// The output must not exist; its record is that of the first part without those
// settings.
//
// Errors match [ErrExists], [ErrFormat] or [ErrMismatch].
func Merge(output string, parts []string, keys ...string) error {
	if len(parts) == 0 {
		return kindErrorf(ErrMismatch, "merge into %q: no parts given; name the outputs of the shards", output)
	}
	l, err := lock(output)
	if err != nil {
		return err
	}
	return errors.Join(merge(output, parts, keys), l.release())
}

func merge(output string, parts, keys []string) error {
	if _, err := os.Lstat(output); err == nil {
		return kindErrorf(ErrExists, "merge: %q exists; choose another name", output)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("merge: %w", err)
	}
	var run Run
	var all []mergedLine
	var isJSON bool
	for i, part := range parts {
		lines, json, err := readPart(part)
		if err != nil {
			return fmt.Errorf("merge %q: %w", part, err)
		}
		r, err := ReadRun(part)
		if errors.Is(err, fs.ErrNotExist) {
			return kindErrorf(ErrMismatch, "merge %q: its record %q is missing, so nothing tells how it was made", part, RunPath(part))
		}
		if err != nil {
			return err
		}
		if i == 0 {
			run, isJSON = r, json
		}
		if json != isJSON {
			return kindErrorf(ErrMismatch, "merge: %q and %q are a table and certificates; merge them apart", parts[0], part)
		}
		if err := samePart(parts[0], part, run, r, keys); err != nil {
			return err
		}
		run, _ = run.withProcessors(r.Processors())
		all = append(all, lines...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].index < all[j].index })
	for i := 1; i < len(all); i++ {
		if all[i].index == all[i-1].index {
			return kindErrorf(ErrMismatch, "merge: input %d is in both %q and %q; give each shard once", all[i].index, all[i-1].part, all[i].part)
		}
	}
	for _, key := range keys {
		drop(run.Configuration, strings.Split(strings.TrimPrefix(key, "configuration."), "."))
	}
	if err := run.Write(output); err != nil {
		return err
	}
	return writeMerged(output, all, isJSON)
}

// readPart reads the lines of one part.
func readPart(path string) (out []mergedLine, isJSON bool, err error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	first, err := bufio.NewReader(f).Peek(1)
	if err != nil {
		return nil, false, kindErrorf(ErrFormat, "it is empty; finish the shard first")
	}
	if _, err = f.Seek(0, 0); err != nil {
		return nil, false, err
	}
	isJSON = first[0] == '{'
	limit := maxTSVLine
	if isJSON {
		limit = certificate.MaxLine
	}
	tail, _, err := lines(f, limit, func(n int, text []byte) error {
		if n == 1 && !isJSON {
			if string(text)+"\n" != header() {
				return kindErrorf(ErrFormat, "not the header of a table of ours")
			}
			return nil
		}
		row, rowErr := parseLine(text, isJSON)
		if rowErr == nil {
			out = append(out, mergedLine{index: row.Index, part: path, text: slices.Concat(text, []byte("\n"))})
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

// samePart compares the records of two parts but for the given keys.
func samePart(a, b string, ra, rb Run, keys []string) error {
	diffs, err := ra.Compare(rb)
	if err != nil {
		return err
	}
	diffs = slices.DeleteFunc(diffs, func(d Difference) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return d.Key == k || strings.HasPrefix(d.Key, k+".") })
	})
	if len(diffs) > 0 {
		return kindErrorf(ErrMismatch, "merge: %q and %q are of different runs (%s: %s and %s)", a, b, diffs[0].Key, diffs[0].Stored, diffs[0].Now)
	}
	return nil
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

// writeMerged writes the lines in one step.
func writeMerged(output string, all []mergedLine, isJSON bool) error {
	var b []byte
	if !isJSON {
		b = append(b, header()...)
	}
	for _, l := range all {
		b = append(b, l.text...)
	}
	if err := atomicfile.WriteBytes(output, b); err != nil {
		return fmt.Errorf("merge into %q: %w; free some space, or write to another folder", filepath.Base(output), err)
	}
	return nil
}
