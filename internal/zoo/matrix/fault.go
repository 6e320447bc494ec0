package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrFaulty marks a zoo.yaml that cannot be used as it is.
var ErrFaulty = errors.New("the zoo cannot be used as it is")

// Fault is one thing wrong with a zoo.yaml.
type Fault struct {
	// Line is from 1; 0 where the fault is of the whole file.
	Line int
	// Text says what is wrong and what to do, in one line.
	Text string
}

// Faults is every fault of a file, by line. It matches [ErrFaulty].
type Faults struct {
	// File is the file as the user named it.
	File string
	List []Fault
}

// Error lists all faults on one line, each as file:line.
func (f *Faults) Error() string {
	parts := make([]string, len(f.List))
	for i, fault := range f.List {
		parts[i] = fault.Text
		if fault.Line > 0 {
			parts[i] = fmt.Sprintf("%s:%d: %s", f.File, fault.Line, fault.Text)
		} else {
			parts[i] = fmt.Sprintf("%s: %s", f.File, fault.Text)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return fmt.Sprintf("%d faults: %s", len(parts), strings.Join(parts, "; "))
}

// Is reports whether target is [ErrFaulty].
func (f *Faults) Is(target error) bool { return target == ErrFaulty }

// add notes a fault; one text is noted once a line.
func (f *Faults) add(line int, format string, args ...any) {
	fault := Fault{Line: line, Text: strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")}
	if !slices.Contains(f.List, fault) {
		f.List = append(f.List, fault)
	}
}

// err is the faults in the order of their lines, nil when there are none.
func (f *Faults) err() error {
	if len(f.List) == 0 {
		return nil
	}
	slices.SortStableFunc(f.List, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return f
}
