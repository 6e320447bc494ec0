package dataset

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// LabelMap translates the labels of a source into the classes of a model. Keys
// are the source's class names, or its class numbers in decimal; a name wins
// over a number. Values are classes of the model, 0 or more.
type LabelMap map[string]int

// ReadLabelMap reads one translation a line: the source's class (name or
// number), then a comma, tab, colon or blanks, then the model's class number.
// Empty lines and lines that begin with # are skipped; names may hold blanks
// and colons. Errors match [ErrSpec] and name the line.
func ReadLabelMap(r io.Reader) (LabelMap, error) {
	m := LabelMap{}
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexAny(line, ",\t: ")
		if i < 0 {
			return nil, specErrorf("label map, line %d: %q is not \"source,class\"", n, line)
		}
		key := strings.Trim(strings.TrimRight(line[:i], ",\t: "), `"'`)
		class, err := strconv.Atoi(line[i+1:])
		if err != nil || class < 0 || key == "" {
			return nil, specErrorf("label map, line %d: %q does not end in a class number of the model, 0 or more", n, line)
		}
		if len(m) >= maxLabelMap {
			return nil, specErrorf("label map: it holds more than %d lines", maxLabelMap)
		}
		if old, twice := m[key]; twice && old != class {
			return nil, specErrorf("label map, line %d: %q was given class %d before; keep one", n, key, old)
		}
		m[key] = class
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read label map: %w", err)
	}
	if len(m) == 0 {
		return nil, specErrorf("label map: it holds no line \"source,class\"")
	}
	return m, nil
}

// ofNegative gives the class of a label below 0, which elsewhere stands for none: data of two
// classes are often labelled −1 and 1, and a line of the map then says so.
func (m LabelMap) ofNegative(label int) (int, bool) {
	if label >= 0 || m == nil {
		return 0, false
	}
	to, ok := m[strconv.Itoa(label)]
	return to, ok
}

// translate gives the model's class of the source's label.
func (m LabelMap) translate(label int, names []string) (int, error) {
	if label < len(names) {
		if to, ok := m[names[label]]; ok {
			return to, nil
		}
	}
	if to, ok := m[strconv.Itoa(label)]; ok {
		return to, nil
	}
	if label < len(names) {
		return 0, fmt.Errorf("the label map has no class for %q (label %d); add it, or leave the input out", names[label], label)
	}
	return 0, fmt.Errorf("the label map has no class for label %d; add it, or leave the input out", label)
}
