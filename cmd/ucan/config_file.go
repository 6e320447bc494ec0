package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"ucan/internal/nearest"
	"ucan/runtime/files"
)

// implicitFile is the configuration file that is read from the current folder without being named.
const implicitFile = "ucan.yaml"

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// configFile is the configuration in force.
type configFile struct {
	path     string           // the file in force, "" when there is none
	implicit bool             // it lies in the current folder and nobody named it
	places   map[string]place // of each key that a file sets
	faults   []error          // of the files; each names its file and line
}

// place is a line of a file.
type place struct {
	path string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s, line %d", p.path, p.line) }

// of returns where a file sets the key or a key below it; the zero place when none does.
func (c *configFile) of(key string) place {
	for k, at := range c.places {
		if k == key || strings.HasPrefix(k, key+".") {
			return at
		}
	}
	return place{}
}

// readConfigFile merges the configuration into v, as far as it has no faults. path names the file;
// "" means the default places, where it may be absent: the current folder, otherwise the user's
// configuration folder.
//
// A file of the current folder that nobody named is not trusted: see [untrusted]. What it may not
// set is read from the user's own file beside it.
func readConfigFile(v *viper.Viper, path string) *configFile {
	file := &configFile{path: path, places: map[string]place{}}
	if path != "" {
		doc, err := readConfig(path)
		if err != nil {
			file.fault("%q: %w; give an existing file to --config", path, err)
		}
		doc.merge(v, file, everything)
		return file
	}
	own := ownConfigFile()
	here := readImplicit(file, own)
	var mine *configDocument
	if own != "" {
		var err error
		if mine, err = readConfig(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
			file.fault("%q: %w; correct it, or name another by --config", own, err)
		}
	}
	switch {
	case here != nil:
		file.path, file.implicit = implicitFile, true
		mine.merge(v, file, needsConsent)
		here.merge(v, file, everything)
	case mine != nil:
		file.path = own
		mine.merge(v, file, everything)
	}
	return file
}

func (c *configFile) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// ownConfigFile is the file in the user's own configuration folder, "" where the system has no such
// folder. A folder that is relative would be another one in each current folder.
func ownConfigFile() string {
	dir, err := os.UserConfigDir()
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "ucan", "ucan.yaml")
}

// readImplicit reads and checks the file of the current folder, nil when there is none that may be
// used. The user's own file is not read here, even where its folder is the current one.
func readImplicit(file *configFile, own string) *configDocument {
	info, err := os.Stat(implicitFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if ownInfo, ownErr := os.Stat(own); err == nil && ownErr == nil && os.SameFile(info, ownInfo) {
		return nil
	}
	doc, err := readConfig(implicitFile)
	if err == nil {
		err = staysHere(implicitFile)
	}
	if err != nil {
		file.fault("%q of the current folder: %w; mend or remove it, or name another by --config", implicitFile, err)
		return nil
	}
	if err := untrusted(doc); err != nil {
		file.faults = append(file.faults, err)
		return nil
	}
	return doc
}

// configDocument is a configuration file that was read: its values, and where each setting stands.
type configDocument struct {
	path   string
	values map[string]any
	lines  map[string]int // by key
	faults []error
}

// readConfig reads a regular file of sane size and checks its keys.
func readConfig(path string) (*configDocument, error) {
	data, err := files.Read(path, maxConfig)
	if err != nil {
		return nil, err
	}
	return parseConfig(path, data)
}

func parseConfig(path string, data []byte) (*configDocument, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("%w; correct the YAML", err)
	}
	doc := &configDocument{path: path, lines: map[string]int{}}
	if len(document.Content) == 0 {
		return doc, nil
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it must be a mapping of keys; run \"ucan config\" to see them")
	}
	doc.collectKeys(document.Content[0], "")
	if err := document.Decode(&doc.values); err != nil {
		return nil, fmt.Errorf("%w; correct the YAML", err)
	}
	return doc, nil
}

// everything selects all settings.
func everything(setting) bool { return true }

// merge puts the settings that want selects into v, and notes in file that they come from here. A
// nil document has none.
func (d *configDocument) merge(v *viper.Viper, file *configFile, want func(setting) bool) {
	if d == nil {
		return
	}
	file.faults = append(file.faults, d.faults...)
	values := viper.New()
	_ = values.MergeConfigMap(d.values) // never fails
	for _, s := range settings() {
		if line, set := d.lines[s.key]; set && want(s) {
			_ = v.MergeConfigMap(nested(s.key, values.Get(s.key)))
			file.places[s.key] = place{d.path, line}
		}
	}
}

// nested is the mapping of mappings that stands for one key with dots.
func nested(key string, value any) map[string]any {
	group, rest, dotted := strings.Cut(key, ".")
	if !dotted {
		return map[string]any{key: value}
	}
	return map[string]any{group: nested(rest, value)}
}

// collectKeys walks a mapping, and notes the line of each setting and every key that is none.
func (d *configDocument) collectKeys(node *yaml.Node, prefix string) {
	kinds, groups := map[string]kind{}, map[string]bool{}
	for _, s := range settings() {
		kinds[s.key] = s.kind
		if group, _, ok := strings.Cut(s.key, "."); ok {
			groups[group] = true
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := prefix+strings.ToLower(node.Content[i].Value), node.Content[i+1]
		expected, known := kinds[key]
		at := place{d.path, node.Content[i].Line}
		switch {
		case key == "config":
			d.faults = append(d.faults, fmt.Errorf("%s: a configuration cannot name another", at))
		case known && (expected == kindTree || value.Kind != yaml.MappingNode):
			d.lines[key] = at.line
		case groups[key] && value.Kind == yaml.MappingNode:
			d.collectKeys(value, key+".")
		case groups[key] && value.Tag == "!!null":
		default:
			d.faults = append(d.faults, fmt.Errorf("%s: unknown key %q%s", at, key, didYouMean(nearestKey(key))))
		}
	}
}

// nearestKey is the key that was probably meant: one of another group, or one that differs least.
func nearestKey(word string) string {
	var known []string
	last := word[strings.LastIndex(word, ".")+1:]
	for _, s := range settings() {
		if s.flag == last || strings.HasSuffix(s.key, "."+last) {
			return s.key
		}
		group, _, _ := strings.Cut(s.key, ".")
		known = append(known, s.key, group)
	}
	return nearest.Word(word, known)
}
