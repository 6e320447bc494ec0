package dataset

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// nameClasses labels the images by their folders and says what is known of the classes.
func (s *imageStore) nameClasses(info *Info) {
	skip := commonFolders(s.entries)
	info.Labels, info.Classes = s.labelByFolder(skip)
	info.sorted = len(info.Labels) > 0
	info.classTexts = textsOf(s.labels(), info.Labels)
	if info.Classes == 0 && skip > 0 {
		info.lone = path.Base(path.Dir(s.entries[0].name))
		skip--
	}
	if empty := s.emptyFolders(skip); len(empty) > 0 {
		s.note("folders without an image count as no class: %s", listColumns(empty))
	}
}

// emptyFolders lists the folders beside those of the classes that hold no image.
func (s *imageStore) emptyFolders(skip int) []string {
	full := map[string]bool{}
	for _, e := range s.entries {
		if parts := strings.Split(e.name, "/"); len(parts) > skip+1 {
			full[strings.Join(parts[:skip+1], "/")] = true
		}
	}
	common := strings.Join(strings.Split(s.entries[0].name, "/")[:skip], "/")
	var empty []string
	for _, name := range s.folders {
		above, last := path.Split(name)
		if strings.TrimSuffix(above, "/") == common && !full[name] {
			empty = append(empty, last)
		}
	}
	slices.Sort(empty)
	return slices.Compact(empty)
}

// labelByFolder numbers the classes by the first folder in which the images
// differ, in the order of the names; folders that are all numbers are classes by
// that number. Images outside any such folder have no label. One folder alone
// says nothing about classes.
func (s *imageStore) labelByFolder(skip int) (names []string, classes int) {
	index := map[string]int{}
	for _, e := range s.entries {
		if class, ok := classOf(e.name, skip); ok {
			index[class] = 0
		}
	}
	if len(index) == 0 {
		return nil, 0
	}
	names = slices.Sorted(maps.Keys(index))
	numeric := !slices.ContainsFunc(names, func(class string) bool {
		v, err := strconv.Atoi(class)
		return err != nil || v < 0 || v > 1<<20
	})
	for i, class := range names {
		index[class] = i
		if numeric {
			index[class], _ = strconv.Atoi(class)
		}
		classes = max(classes, index[class]+1)
	}
	for i := range s.entries {
		if class, ok := classOf(s.entries[i].name, skip); ok {
			s.entries[i].label = index[class]
		}
	}
	if numeric {
		names = nil
	}
	return names, classes
}

// commonFolders counts the leading folders that all entries share.
func commonFolders(entries []entry) int {
	first := strings.Split(entries[0].name, "/")
	n := len(first) - 1
	for _, e := range entries[1:] {
		parts := strings.Split(e.name, "/")
		n = min(n, len(parts)-1)
		for i := range n {
			if parts[i] != first[i] {
				n = i
				break
			}
		}
	}
	return n
}

// classOf is the folder of an image below those that all share.
func classOf(name string, skip int) (string, bool) {
	parts := strings.Split(name, "/")
	if len(parts) < skip+2 {
		return "", false
	}
	return parts[skip], true
}
