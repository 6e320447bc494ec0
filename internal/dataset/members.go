package dataset

import (
	"archive/zip"
	"path"
	"strings"
)

// members checks the names of an archive's members, and remembers what to say of them.
type members struct {
	store *imageStore
	zip   bool

	absolute, backslash, linked firstOf
}

// firstOf counts members of a kind.
type firstOf struct {
	name  string
	count int
}

func (f *firstOf) add(name string) {
	if f.count++; f.count == 1 {
		f.name = name
	}
}

// name is the path of a member below the archive; ok says that it is an image that a person put
// there. Folders are kept in the store. Windows programs separate the folders of zip archives by
// backslashes, against the format. A name that leads out of the archive is refused.
func (m *members) name(raw string, folder bool) (name string, ok bool, err error) {
	name = raw
	if m.zip {
		name = strings.ReplaceAll(raw, `\`, "/")
		folder = folder || strings.HasSuffix(name, "/")
	}
	slashed := name
	name = strings.TrimPrefix(path.Clean("/"+slashed), "/")
	for part := range strings.SplitSeq(name, "/") {
		if hidden(part) {
			return "", false, nil
		}
	}
	if folder {
		if name != "" {
			m.store.knowFolder(name)
		}
		return "", false, nil
	}
	if !isImageName(name) {
		return "", false, nil
	}
	for part := range strings.SplitSeq(slashed, "/") {
		if part == ".." {
			return "", false, formatErrorf("the name of member %s leads through \"..\"; pack the archive anew, with names below one folder", quote(raw))
		}
	}
	if strings.HasPrefix(slashed, "/") {
		m.absolute.add(raw)
	}
	if strings.Contains(raw, `\`) {
		m.backslash.add(raw)
	}
	return name, true, nil
}

// link remembers an image that is only a link to another member.
func (m *members) link(name string) { m.linked.add(name) }

// note says what was found among the members.
func (m *members) note() {
	if f := m.absolute; f.count > 0 {
		m.store.note("%d images have absolute names, such as %s, and are taken as lying below the archive", f.count, quote(f.name))
	}
	if f := m.backslash; f.count > 0 {
		meaning := "which separate its folders"
		if !m.zip {
			meaning = "which are no folders"
		}
		m.store.note("%d images have names with backslashes, such as %s, %s", f.count, quote(f.name), meaning)
	}
	if f := m.linked; f.count > 0 {
		m.store.note("%d images are links, such as %s, and are left out; pack the files themselves (tar --dereference)", f.count, quote(f.name))
	}
}

// checkZipped refuses a member that cannot be unpacked, whichever it is: a source without some of
// its inputs would be another one.
func checkZipped(f *zip.File) error {
	if f.Flags&1 != 0 {
		return formatErrorf("member %s is encrypted; unpack the archive with its password first", quote(f.Name))
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return formatErrorf("member %s is packed by method %d, and only plain and deflated members are read; pack it anew with zip, or unpack it", quote(f.Name), f.Method)
	}
	return nil
}
