package library

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifestName is the file that makes a folder of the cache a complete
// installation; it is written last.
const manifestName = "ucan-runtime.json"

// manifest describes one installed library.
type manifest struct {
	Version  string          `json:"version"`
	Platform string          `json:"platform"`
	CUDA     bool            `json:"cuda"`
	Origin   string          `json:"origin"` // package and client, or the file's name
	SHA256   string          `json:"sha256"` // of the package
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
		if err != nil || m.Platform != platform() {
			continue
		}
		list = append(list, found{m, filepath.Join(dir, e.Name(), m.Library)})
	}
	slices.SortStableFunc(list, func(a, b found) int {
		switch pa, pb := a.m.Version == Pinned, b.m.Version == Pinned; {
		case pa && !pb:
			return -1
		case pb && !pa:
			return 1
		}
		if d := compareVersions(b.m.Version, a.m.Version); d != 0 {
			return d
		}
		switch {
		case a.m.CUDA && !b.m.CUDA:
			return 1
		case b.m.CUDA && !a.m.CUDA:
			return -1
		}
		return 0
	})
	out := make([]candidate, len(list))
	for i, f := range list {
		out[i] = candidate{f.path, FromCache, f.m.Version}
	}
	return out
}

// readManifest reads and checks an installation: every file must be there in
// its size. (Hashes were checked when it was installed; reading 25 MB for
// every start would not find more than that.)
func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
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
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil {
			return m, err
		}
		if info.Size() != f.Bytes {
			return m, fmt.Errorf("%s has %d bytes instead of %d", f.Name, info.Size(), f.Bytes)
		}
		known = known || f.Name == m.Library
	}
	if !known {
		return m, errors.New("the manifest does not list its library")
	}
	return m, nil
}
