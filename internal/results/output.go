package results

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// file is what an output needs of an open file; tests inject failing ones.
type file interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// opener opens an output for appending; create demands that it is new.
type opener func(path string, create bool) (file, error)

func openFile(path string, create bool) (file, error) {
	flags := os.O_WRONLY | os.O_APPEND
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	return files.OpenFile(path, flags, 0o666) //nolint:gosec // results are for everyone to read
}

// output is one of the files of a run. Rows are appended whole and synced.
type output struct {
	path string
	json bool
	f    file
	// rows were there before this run; size is the length in whole lines.
	rows []Row
	size int64
	made bool
	err  error
}

// existing reads what an output holds already, nil when there is no such file.
func existing(path string, isJSON bool) (t *Table, err error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, kindErrorf(ErrExists, "%q is not a regular file; name one for the results", path)
	}
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var got Table
	if isJSON {
		got, err = readJSONL(f)
	} else {
		got, err = readTSV(f)
	}
	start := header()
	if isJSON {
		start = `{"`
	}
	switch {
	case err != nil:
	case got.cohen:
		err = kindErrorf(ErrFormat, "it has only the columns of Cohen's logs")
	case got.size == 0 && !strings.HasPrefix(start, string(got.tail)) && !strings.HasPrefix(string(got.tail), start):
		// A torn line at the end of ours is dropped, a foreign file is not.
		err = kindErrorf(ErrFormat, "it does not begin like results of ours")
	}
	if err != nil {
		return nil, fmt.Errorf("resume %q: %w; mend or move the file, or write elsewhere", path, err)
	}
	return &got, nil
}

// open prepares the file for appending: a new one gets its header, an old one
// loses its torn last line.
func (o *output) open(open opener, old *Table) error {
	f, err := open(o.path, old == nil)
	if errors.Is(err, fs.ErrExist) {
		return existsError(o.path)
	}
	if err != nil {
		return fmt.Errorf("open %q: %w; check that its folder exists and can be written", o.path, err)
	}
	o.f, o.made = f, old == nil
	if old != nil {
		o.rows, o.size = old.Rows, old.size
		if old.torn {
			if err := o.f.Truncate(o.size); err != nil {
				return fmt.Errorf("drop the torn last line of %q: %w", o.path, err)
			}
		}
	}
	if !o.json && o.size == 0 {
		if err := o.append([]byte(header())); err != nil {
			return err
		}
	}
	atomicfile.SyncDir(filepath.Dir(o.path))
	return nil
}

// append writes whole lines and syncs them. When that fails, what was written of
// them is taken back as far as possible, and the output takes no more.
func (o *output) append(b []byte) error {
	if o.err != nil {
		return o.err
	}
	n, err := o.f.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = o.f.Sync()
	}
	if err == nil {
		o.size += int64(len(b))
		return nil
	}
	// A torn line that cannot be taken back is dropped by the next resume.
	_ = o.f.Truncate(o.size)
	remedy := "what was written before is kept, run again with --resume"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		remedy = "what was written before is kept, free some space and run again with --resume"
	}
	o.err = fmt.Errorf("write %q: %w; %s", o.path, err, remedy)
	return o.err
}

// close closes the file; with remove it takes back one that this run made.
func (o *output) close(remove bool) error {
	if o.f == nil {
		return nil
	}
	err := o.f.Close()
	o.f = nil
	if remove && o.made {
		err = errors.Join(err, os.Remove(o.path))
	}
	return err
}

func existsError(path string) error {
	return kindErrorf(ErrExists, "%q exists; continue it with --resume, or write elsewhere", path)
}
