package dataset

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// folderLink is a link to a folder that was met on the way.
type folderLink struct {
	full, name string // its path, and the name of what lies behind it inside the source
	depth      int
}

// walk collects the images below a folder. It visits each real folder once, whatever
// links lead there: real folders first, then those behind links, so that a link never
// takes the place of the folder itself.
type walk struct {
	store   *imageStore
	root    string          // the real path of the source's folder
	seen    map[string]bool // by real path
	pending []folderLink
	links   map[string]bool // real paths of images behind links
	twice   firstOf
}

// addFolder collects the images under dir. Links are followed, except those that lead
// to a folder which was visited or which holds dir itself: they are noted.
func (s *imageStore) addFolder(ctx context.Context, dir string) error {
	root, err := realPath(dir)
	if err != nil {
		return pathError(err)
	}
	w := walk{store: s, root: root, seen: map[string]bool{}, links: map[string]bool{}}
	if err = w.folder(ctx, folderLink{full: dir}, root); err != nil {
		return err
	}
	for len(w.pending) > 0 {
		link := w.pending[0]
		w.pending = w.pending[1:]
		to, err := realPath(link.full)
		switch {
		case err != nil:
			return fmt.Errorf("%w; repair or remove the link", err)
		case w.seen[to]:
			s.note("%q is a link to a folder that was read already: skipped", link.name)
		case within(w.root, to):
			s.note("%q is a link to a folder that holds this one: skipped", link.name)
		default:
			if err = w.folder(ctx, link, to); err != nil {
				return err
			}
		}
	}
	if f := w.twice; f.count > 0 {
		s.note("%d images are links to images that are read as well, such as %s: each counts twice", f.count, quote(f.name))
	}
	return nil
}

// linkedImage remembers a link to an image. The image is read all the same, but not in silence
// where it is read elsewhere, too.
func (w *walk) linkedImage(at folderLink) error {
	to, err := realPath(at.full)
	if err != nil {
		return fmt.Errorf("%w; mend or remove the link", err)
	}
	if w.links[to] || within(to, w.root) && !hiddenBelow(w.root, to) {
		w.twice.add(at.name)
	}
	w.links[to] = true
	return nil
}

// hiddenBelow reports whether a part of the path below root is hidden, and so not read.
func hiddenBelow(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), hidden)
}

// note keeps a remark on the source; of many, the first ones.
func (s *imageStore) note(format string, args ...any) {
	if len(s.notes) < 20 {
		s.notes = append(s.notes, fmt.Sprintf(format, args...))
	}
}

func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// within reports whether path lies in folder, or is it.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// folder collects the images of one folder and of the real folders in it.
func (w *walk) folder(ctx context.Context, at folderLink, real string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if at.depth > maxDepth {
		return formatErrorf("folder %q lies deeper than %d folders; move its images up", at.name, maxDepth)
	}
	if len(w.seen) >= maxFolders {
		return formatErrorf("more than %d folders; split it", maxFolders)
	}
	w.seen[real] = true
	if at.name != "" {
		w.store.knowFolder(at.name)
	}
	list, err := os.ReadDir(at.full)
	if err != nil {
		return pathError(err)
	}
	for _, e := range list {
		if hidden(e.Name()) {
			continue
		}
		below := folderLink{filepath.Join(at.full, e.Name()), path.Join(at.name, e.Name()), at.depth + 1}
		link := e.Type()&os.ModeSymlink != 0
		if !e.IsDir() && !isImageName(e.Name()) && !link {
			continue
		}
		st, err := os.Stat(below.full)
		if err != nil {
			return fmt.Errorf("%w; repair or remove the link", err)
		}
		switch {
		case st.IsDir() && link:
			w.pending = append(w.pending, below)
			if len(w.pending) > maxFolders {
				return formatErrorf("more than %d links to folders; split it", maxFolders)
			}
		case st.IsDir() && w.seen[filepath.Join(real, e.Name())]:
			w.store.note("%q was read already, by a link to it: skipped", below.name)
		case st.IsDir():
			if err = w.folder(ctx, below, filepath.Join(real, e.Name())); err != nil {
				return err
			}
		case !isImageName(e.Name()):
		case !st.Mode().IsRegular():
			return formatErrorf("image %q: %w", below.name, atomicfile.CheckTarget(below.full))
		default:
			if link {
				if err = w.linkedImage(below); err != nil {
					return err
				}
			}
			open := func() (io.ReadCloser, error) { return files.Open(below.full) }
			if err = w.store.add(entry{name: below.name, size: st.Size(), open: open}); err != nil {
				return err
			}
		}
	}
	return nil
}
