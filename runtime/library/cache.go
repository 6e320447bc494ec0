package library

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/runtime/files"
)

// manifestName is the file that makes a folder of the cache a complete
// installation; it is written last.
const manifestName = "ucan-runtime.json"

// manifest describes one installed library.
type manifest struct {
	Version  string          `json:"version"`
	Platform string          `json:"platform"`
	CUDA     bool            `json:"cuda"`
	Plugin   string          `json:"plugin,omitempty"` // the provider, of a plugin
	Origin   string          `json:"origin"`           // package and client, or the file's name
	SHA256   string          `json:"sha256"`           // of the package
	Library  string          `json:"library"`
	Files    []manifestEntry `json:"files"`
}

type manifestEntry struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// folderName is where a library is installed below the cache folder. Homes are
// shared between machines, so the platform is part of it.
func folderName(version string, cuda bool) string {
	name := version + "-" + strings.ReplaceAll(platform(), "/", "-")
	if cuda {
		name += "-gpu"
	}
	return name
}

// inCache lists the installed libraries: the pinned version first, then the
// newest; without CUDA before with it.
func inCache(dir string) []candidate {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	type found struct {
		m    manifest
		path string
	}
	var list []found
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // an installation under way
		}
		m, err := readManifest(filepath.Join(dir, e.Name()))
		if err != nil || m.Platform != platform() || m.Plugin != "" {
			continue
		}
		list = append(list, found{m, filepath.Join(dir, e.Name(), m.Library)})
	}
	first := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b found) int {
		return cmp.Or(
			cmp.Compare(first(a.m.Version == Pinned), first(b.m.Version == Pinned)),
			compareVersions(b.m.Version, a.m.Version),
			cmp.Compare(first(!a.m.CUDA), first(!b.m.CUDA)),
		)
	})
	out := make([]candidate, len(list))
	for i, f := range list {
		out[i] = candidate{f.path, FromCache, f.m.Version}
	}
	return out
}

// readManifest reads a complete installation's manifest. Whether its files
// are still those that were installed, unchanged tells.
func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := files.Read(filepath.Join(dir, manifestName), files.MaxRecord)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", manifestName, err)
	}
	known := false
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return m, fmt.Errorf("%s names a file outside its folder", manifestName)
		}
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); err != nil {
			return m, err
		}
		known = known || f.Name == m.Library
	}
	if !known {
		return m, errors.New("the manifest does not list its library")
	}
	return m, nil
}

// unchangedManifest reads the manifest of an installation none of whose files was changed.
func unchangedManifest(dir string) (manifest, error) {
	m, err := readManifest(dir)
	if err == nil {
		err = unchanged(dir, m, func(manifestEntry) bool { return true })
	}
	return m, err
}

// ErrChanged: a file of an installation is not what was installed, or
// somebody else could make it so.
var ErrChanged = errors.New("the installed onnxruntime was changed")

// largeFile bounds what is hashed whenever a library is located. The CUDA
// providers are larger; they are hashed when they are loaded.
const largeFile = 128 << 20

// unchanged compares the files of an installation that want selects with the
// sizes and digests that were noted when it was installed, and makes sure that
// nobody but this user and the system's administrator may alter them.
func unchanged(dir string, m manifest, want func(manifestEntry) bool) error {
	changed := func(name, why string) error {
		install := "ucan runtime install"
		switch {
		case m.CUDA:
			install += " --gpu"
		case m.Plugin != "":
			install += " --provider " + m.Plugin
		}
		return fmt.Errorf("%w: %q %s; run \"%s\" to install it anew", ErrChanged, filepath.Join(dir, name), why, install)
	}
	for _, folder := range []string{filepath.Dir(dir), dir} {
		if why := alterable(folder); why != "" {
			return fmt.Errorf("%w: the folder %q %s, who could replace the library; make it yours alone, or choose another cache folder by XDG_CACHE_HOME", ErrChanged, folder, why)
		}
	}
	for _, f := range m.Files {
		if !want(f) {
			continue
		}
		path := filepath.Join(dir, f.Name)
		info, err := os.Lstat(path)
		switch {
		case err != nil:
			return changed(f.Name, "cannot be read")
		case !info.Mode().IsRegular():
			return changed(f.Name, "is not a regular file")
		case info.Size() != f.Bytes:
			return changed(f.Name, fmt.Sprintf("has %d bytes instead of %d", info.Size(), f.Bytes))
		}
		if why := alterable(path); why != "" {
			return changed(f.Name, why)
		}
		sum, err := hashFile(path)
		if err != nil {
			return err
		}
		if sum != f.SHA256 {
			return changed(f.Name, fmt.Sprintf("has SHA-256 %.12s… instead of %.12s…", sum, f.SHA256))
		}
	}
	return nil
}

// Unchanged checks one file of an installation, such as a provider's library,
// against its digest before it is loaded. It returns nil for a file that Install
// did not put there.
func Unchanged(path string) error {
	dir, name := filepath.Split(path)
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w; run \"ucan runtime install\" to install it anew", ErrChanged, err)
	}
	return unchanged(filepath.Clean(dir), m, func(f manifestEntry) bool { return f.Name == name })
}
