package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// labelTable maps files to labels.
type labelTable struct {
	byName map[string]int
	names  []string // of the classes, when the labels are words
}

// fileColumns and labelColumns are the names looked for, in order of preference.
func fileColumns() []string {
	return []string{"file", "filename", "file_name", "path", "image", "image_id", "name"}
}

func labelColumns() []string {
	return []string{"class_index", "label_index", "class_id", "label_id", "label", "class", "target", "y"}
}

// readLabels reads a CSV with one row a file: a column of file names and one of
// labels, found by their header, or the first two columns when there is none. A
// relative path is tried as it is, then beside the archive.
func readLabels(ctx context.Context, file, beside, column string) (labelTable, error) {
	path := file
	if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
		alt := filepath.Join(beside, path)
		if _, err := os.Stat(alt); err == nil {
			path = alt
		}
	}
	b, err := openBlob(ctx, path)
	if err != nil {
		return labelTable{}, fmt.Errorf("labels: %w", err)
	}
	t, err := parseLabels(b, column)
	if err = errors.Join(err, b.close()); err != nil {
		return labelTable{}, fmt.Errorf("labels %q: %w", file, err)
	}
	return t, nil
}

func parseLabels(b *blob, column string) (labelTable, error) {
	r, first, err := openTable(b, "")
	if err != nil {
		return labelTable{}, err
	}
	fileCol, labelCol, isHeader, err := labelHeader(first, column)
	if err != nil {
		return labelTable{}, err
	}
	var files, labels []string
	add := func(row []string) {
		files = append(files, row[fileCol])
		labels = append(labels, row[labelCol])
	}
	if !isHeader {
		add(slices.Clone(first))
	}
	for row, err := range r.rest() {
		if err != nil {
			return labelTable{}, err
		}
		if len(files) >= maxEntries {
			return labelTable{}, formatErrorf("more than %d rows", maxEntries)
		}
		add(row)
	}
	numbers, names, err := numberLabels(labels)
	if err != nil {
		return labelTable{}, err
	}
	t := labelTable{byName: make(map[string]int, len(files)), names: names}
	for i, f := range files {
		f = path.Clean(filepath.ToSlash(f))
		if old, twice := t.byName[f]; twice && old != numbers[i] {
			return labelTable{}, formatErrorf("file %q has two labels", f)
		}
		t.byName[f] = numbers[i]
	}
	return t, nil
}

// labelHeader finds the two columns.
func labelHeader(first []string, column string) (file, label int, isHeader bool, err error) {
	if len(first) < 2 {
		return 0, 0, false, formatErrorf("one column only; want a file name and a label a line")
	}
	file = findColumn(first, fileColumns())
	if column != "" {
		if label = findColumn(first, []string{column}); label < 0 {
			return 0, 0, false, specErrorf("option label=%s: no such column; %s", clip(column), columnHint(column, first))
		}
	} else {
		label = findColumn(first, labelColumns())
	}
	switch {
	case file >= 0 && label >= 0:
		return file, label, true, nil
	case file < 0 && label < 0:
		return 0, 1, false, nil
	}
	return 0, 0, false, specErrorf("its header (%s) has no column of file names (%s) or of labels (%s); name the column with label=", listColumns(first), strings.Join(fileColumns(), ", "), strings.Join(labelColumns(), ", "))
}

// numberLabels turns label texts into numbers: integers are taken as they are,
// words are numbered in alphabetical order. An empty text is an unknown label.
func numberLabels(texts []string) (numbers []int, names []string, err error) {
	numbers = make([]int, len(texts))
	words := map[string]int{}
	allNumbers := true
	for i, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" {
			numbers[i] = -1
			continue
		}
		words[text] = 0
		v, ok := integerLabel(text)
		if !ok {
			allNumbers = false
			continue
		}
		numbers[i] = v
	}
	if allNumbers {
		return numbers, nil, nil
	}
	if len(words) > 1<<20 {
		return nil, nil, formatErrorf("more than %d different labels; is it the right column?", 1<<20)
	}
	names = slices.Sorted(maps.Keys(words))
	for i, w := range names {
		words[w] = i
	}
	for i, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			numbers[i] = words[text]
		}
	}
	return numbers, names, nil
}

// integerLabel reads a label such as "7" or "7.0"; −1 is an unknown one.
func integerLabel(text string) (int, bool) {
	v, err := strconv.Atoi(strings.TrimSuffix(text, ".0"))
	return v, err == nil && v >= -1 && v <= 1<<30
}

// assign gives the entries their labels, by path or, failing that, by file name.
func (s *imageStore) assign(t labelTable) error {
	byBase := map[string]int{}
	const ambiguous = -2
	for name, label := range t.byName {
		base := path.Base(name)
		if _, twice := byBase[base]; twice {
			label = ambiguous
		}
		byBase[base] = label
	}
	found := 0
	for i := range s.entries {
		e := &s.entries[i]
		label, ok := t.byName[e.name]
		if !ok {
			if label, ok = byBase[path.Base(e.name)]; ok && label == ambiguous {
				return formatErrorf("image %q: several rows have that file name, none that path; write paths as they are in the archive", e.name)
			}
		}
		if ok {
			e.label = label
			found++
		}
	}
	if found == 0 {
		return formatErrorf("none of its %d files is in the source (for example %q); give the label file that belongs to it", len(t.byName), s.entries[0].name)
	}
	return nil
}
