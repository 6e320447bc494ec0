package runtime

import (
	"os"
	"path/filepath"
	"strings"

	"ucan/runtime/files"
)

// knownModels is a file of hashes, one a line, of what was found to load. It
// only saves time: every failure to read or write it means probing again.
type knownModels struct{ path string }

// maxKnown bounds the file: 65 bytes a model, some 60,000 of them.
const maxKnown = 4 << 20

func openKnown(path string) knownModels {
	switch path {
	case "-":
		return knownModels{}
	case "":
		base, err := os.UserCacheDir()
		if err != nil {
			return knownModels{}
		}
		path = filepath.Join(base, "ucan", "known-models.txt")
	}
	return knownModels{path}
}

func (k knownModels) has(key string) bool {
	if k.path == "" {
		return false
	}
	data, err := files.Read(k.path, 2*maxKnown)
	return err == nil && strings.Contains("\n"+string(data), "\n"+key+"\n")
}

// add appends a key. Lines are short enough to be written at once, so several
// processes may append to the file together.
func (k knownModels) add(key string) {
	if k.path == "" || os.MkdirAll(filepath.Dir(k.path), 0o755) != nil {
		return
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(k.path); err == nil && info.Size() > maxKnown {
		flags |= os.O_TRUNC
	}
	f, err := files.OpenFile(k.path, flags, 0o644)
	if err != nil {
		return
	}
	_, _ = f.WriteString(key + "\n") // see above: a failure costs a probe
	_ = f.Close()
}
