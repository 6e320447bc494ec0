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

	"ucan/runtime/files"
)

// implicitFile is the configuration file that is read from the current folder without being named.
const implicitFile = "ucan.yaml"

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// configFile is the configuration in force.
type configFile struct {
	path     string            // the file in force, "" when there is none
	implicit bool              // it lies in the current folder and nobody named it
	keys     map[string]string // each key that a file sets, and that file
}

// of returns the file that sets the key or a key below it, "" when none does.
func (c configFile) of(key string) string {
	for k, path := range c.keys {
		if k == key || strings.HasPrefix(k, key+".") {
			return path
		}
	}
	return ""
}

// readConfigFile merges the configuration into v. path names the file; "" means the default places, where it may be
// absent: the current folder, otherwise the user's configuration folder. Unknown keys are errors that name the line.
//
// A file of the current folder that nobody named is not trusted: see [untrusted]. What it may not set is read from the
// user's own file beside it.
func readConfigFile(v *viper.Viper, path string) (configFile, error) {
	file := configFile{path: path, keys: map[string]string{}}
	if path != "" {
		doc, err := readConfig(path)
		if err != nil {
			return configFile{}, fmt.Errorf("read the configuration %q: %w; give an existing file to --config", path, err)
		}
		return file, doc.merge(v, &file, everything)
	}
	own := ownConfigFile()
	here, err := readImplicit(own)
	if err != nil {
		return configFile{}, err
	}
	var mine *configDocument
	if own != "" {
		if mine, err = readConfig(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return configFile{}, fmt.Errorf("read the configuration %q: %w; correct it, or name another by --config", own, err)
		}
	}
	switch {
	case here != nil:
		file.path, file.implicit = implicitFile, true
		if mine != nil {
			if err = mine.merge(v, &file, needsConsent); err != nil {
				return configFile{}, err
			}
		}
		return file, here.merge(v, &file, everything)
	case mine != nil:
		file.path = own
		return file, mine.merge(v, &file, everything)
	}
	return configFile{}, nil
}

// ownConfigFile is the file in the user's own configuration folder, "" where the system has no such folder. A folder
// that is relative would be another one in each current folder.
func ownConfigFile() string {
	dir, err := os.UserConfigDir()
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "ucan", "ucan.yaml")
}

// readImplicit reads and checks the file of the current folder, nil when there is none. The user's own file is not read
// here, even where its folder is the current one.
func readImplicit(own string) (*configDocument, error) {
	info, err := os.Stat(implicitFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if ownInfo, ownErr := os.Stat(own); err == nil && ownErr == nil && os.SameFile(info, ownInfo) {
		return nil, nil
	}
	doc, err := readConfig(implicitFile)
	if err == nil {
		err = staysHere(implicitFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration %q of the current folder: %w; mend or remove it, or name another by --config", implicitFile, err)
	}
	return doc, untrusted(doc)
}

// configDocument is a configuration file that was read: its values, and where each setting stands.
type configDocument struct {
	path   string
	values map[string]any
	lines  map[string]int // by key
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
	if faults := collectKeys(document.Content[0], "", doc.lines); len(faults) > 0 {
		return nil, fmt.Errorf("%s; run \"ucan config\" to see the keys there are", strings.Join(faults, ", "))
	}
	if err := document.Decode(&doc.values); err != nil {
		return nil, fmt.Errorf("%w; correct the YAML", err)
	}
	return doc, nil
}

// everything selects all settings.
func everything(setting) bool { return true }

// merge puts the settings that want selects into v, and notes in file that they come from here.
func (d *configDocument) merge(v *viper.Viper, file *configFile, want func(setting) bool) error {
	values := viper.New()
	if err := values.MergeConfigMap(d.values); err != nil {
		return fmt.Errorf("read the configuration %q: %w", d.path, err)
	}
	for _, s := range settings() {
		if _, set := d.lines[s.key]; !set || !want(s) {
			continue
		}
		if err := v.MergeConfigMap(nested(s.key, values.Get(s.key))); err != nil {
			return fmt.Errorf("read the configuration %q: %w", d.path, err)
		}
		file.keys[s.key] = d.path
	}
	return nil
}

// nested is the mapping of mappings that stands for one key with dots.
func nested(key string, value any) map[string]any {
	group, rest, dotted := strings.Cut(key, ".")
	if !dotted {
		return map[string]any{key: value}
	}
	return map[string]any{group: nested(rest, value)}
}

// collectKeys walks a mapping, notes the line of each setting, and returns a text for every key that is none.
func collectKeys(node *yaml.Node, prefix string, found map[string]int) []string {
	known, trees, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range settings() {
		known[s.key] = true
		trees[s.key] = s.kind == kindTree
		if group, _, ok := strings.Cut(s.key, "."); ok {
			groups[group] = true
		}
	}
	var faults []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := prefix + strings.ToLower(node.Content[i].Value)
		value := node.Content[i+1]
		switch {
		case key == "config":
			faults = append(faults, fmt.Sprintf("line %d: a configuration cannot name another", node.Content[i].Line))
		case known[key] && (trees[key] || value.Kind != yaml.MappingNode):
			found[key] = node.Content[i].Line
		case groups[key] && value.Kind == yaml.MappingNode:
			faults = append(faults, collectKeys(value, key+".", found)...)
		case groups[key] && value.Tag == "!!null":
		default:
			faults = append(faults, fmt.Sprintf("line %d: unknown key %q", node.Content[i].Line, key))
		}
	}
	return faults
}
