package docs_test

import "io/fs"

// sources is a tree without the folders and large files that no build needs.
type sources struct{ fs.FS }

func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	var out []fs.DirEntry
	for _, e := range entries {
		if n := e.Name(); n == ".git" || (name == "." && (n == "shared" || n == "runs" || n == "ucan" || n == ".whl")) {
			continue
		}
		out = append(out, e)
	}
	return out, err
}
