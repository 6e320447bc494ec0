package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"ucan/internal/nearest"
)

// Under returns the source with labels that are the classes of a model with these names, none where
// the model names no classes. It shares the files of s, which stays the one to close.
//
// Words are matched with the names: exactly, or but for capitals, blanks, hyphens and underscores
// where that is unique. A word without a class is an error that matches [ErrSpec]. Numbers of
// folders and tables are matched where the model's names are numbers and have all of them;
// otherwise a number is the class itself. Where a label map is given, or the format itself fixes
// the classes, s is returned. What was decided is told in notes.
func (s *Source) Under(names []string) (_ *Source, notes []string, err error) {
	under, notes, err := s.under(names)
	if err == nil {
		if note := under.unlabelled(); note != "" {
			notes = append(notes, note)
		}
	}
	return under, notes, err
}

func (s *Source) under(names []string) (_ *Source, notes []string, err error) {
	if s.opt.LabelMap != nil {
		return s, nil, nil
	}
	if class, ok := findClass(s.info.lone, names); ok && s.info.lone != "" {
		under := *s
		under.lone, under.info.Classes, under.info.Labels = &class, len(names), slices.Clone(names)
		return &under, []string{fmt.Sprintf("all images lie in one folder, %s, and are taken as the model's class of that name", quote(s.info.lone))}, nil
	}
	if len(s.info.classTexts) == 0 {
		return s, nil, nil
	}
	if len(names) == 0 {
		if s.info.sorted {
			notes = append(notes, "the model names no classes, so those of the data are numbered in the order of their names: "+firstClasses(s.ownNames)+
				"; list the model's labels in model.yaml, or give a --label-map, if its order is another")
		}
		return s, notes, nil
	}
	if !s.info.sorted && !s.numbersAreNames(names) {
		return s, nil, nil
	}
	under := *s
	under.byName = map[int]int{}
	taken := map[int]string{}
	var missing []string
	for _, label := range slices.Sorted(maps.Keys(s.info.classTexts)) {
		text := s.info.classTexts[label]
		class, ok := findClass(text, names)
		if !ok {
			missing = append(missing, text)
			continue
		}
		if other, twice := taken[class]; twice {
			return nil, nil, specErrorf("the classes %s and %s of the data both look like the model's class %s; rename one, or give a --label-map", quote(other), quote(text), quote(names[class]))
		}
		taken[class], under.byName[label] = text, class
	}
	const unlabelled = -1 // but where the model has a class of that name
	if class := slices.Index(names, strconv.Itoa(unlabelled)); class >= 0 && !s.info.sorted {
		taken[class], under.byName[unlabelled] = names[class], class
	}
	if len(missing) > 0 {
		return nil, nil, missingClass(missing, names)
	}
	under.info.Classes, under.info.Labels = len(names), slices.Clone(names)
	if !s.info.sorted {
		notes = append(notes, "the data's class numbers are matched with the model's labels ("+firstClasses(names)+") by name")
	}
	var empty []string
	for class, name := range names {
		if _, ok := taken[class]; !ok {
			empty = append(empty, name)
		}
	}
	if len(empty) > 0 {
		notes = append(notes, fmt.Sprintf("classes of the model without an input: %s (%d of %d)", listColumns(empty), len(empty), len(names)))
	}
	return &under, notes, nil
}

// numbersAreNames reports whether the names are numbers other than 0, 1, 2, … and among them are
// all numbers of the data.
func (s *Source) numbersAreNames(names []string) bool {
	plainCount := true
	for i, name := range names {
		v, err := strconv.Atoi(name)
		if err != nil {
			return false
		}
		plainCount = plainCount && v == i
	}
	if plainCount {
		return false
	}
	for _, text := range s.info.classTexts {
		if !slices.Contains(names, text) {
			return false
		}
	}
	return true
}

// findClass finds the class of a name.
func findClass(text string, names []string) (class int, ok bool) {
	if i := slices.Index(names, text); i >= 0 {
		return i, true
	}
	found := 0
	for i, name := range names {
		if foldName(name) == foldName(text) {
			class = i
			found++
		}
	}
	return class, found == 1
}

// foldName is a name without what people write in different ways.
func foldName(name string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(norm.NFC.String(name)))
}

// missingClass says that the model lacks classes of the data.
func missingClass(missing, names []string) error {
	slices.Sort(missing)
	hint, more := ".", ""
	if near := nearest.Word(missing[0], names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", quote(near))
	}
	if len(missing) > 1 {
		more = fmt.Sprintf(", nor %d others of the data", len(missing)-1)
	}
	return specErrorf("the model has no class %s%s%s Its labels are %s; rename the data's class, correct the labels, or give a --label-map",
		quote(missing[0]), more, hint, listColumns(names))
}

// firstClasses shows the first classes with their numbers.
func firstClasses(names []string) string {
	const most = 5
	var parts []string
	for i, name := range names[:min(len(names), most)] {
		parts = append(parts, fmt.Sprintf("%d = %s", i, quote(name)))
	}
	if len(names) > most {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// textsOf gives the texts of the classes by their numbers: the names, or without names the numbers
// themselves.
func textsOf(labels []int, names []string) map[int]string {
	texts := map[int]string{}
	for i, name := range names {
		texts[i] = name
	}
	if names == nil {
		for _, label := range labels {
			if label >= 0 {
				texts[label] = strconv.Itoa(label)
			}
		}
	}
	return texts
}
