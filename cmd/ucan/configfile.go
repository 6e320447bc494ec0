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
)

// configFile is the configuration file in force: its path ("" when there is none) and the keys it sets.
type configFile struct {
	path string
	keys map[string]bool
}

func (c configFile) has(key string) bool {
	for k := range c.keys {
		if k == key || strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// readConfigFile merges the configuration file into v. path names it; "" means the default places, where it may be
// absent. Unknown keys are errors that name the line.
func readConfigFile(v *viper.Viper, path string) (configFile, error) {
	candidates := []string{path}
	if path == "" {
		candidates = []string{"ucan.yaml"}
		if dir, err := os.UserConfigDir(); err == nil {
			candidates = append(candidates, filepath.Join(dir, "ucan", "ucan.yaml"))
		}
	}
	for _, candidate := range candidates {
		data, err := os.ReadFile(candidate)
		if errors.Is(err, fs.ErrNotExist) && path == "" {
			continue
		}
		if err != nil {
			return configFile{}, fmt.Errorf("read the configuration %q: %w; give an existing file to --config", candidate, err)
		}
		return mergeConfig(v, candidate, data)
	}
	return configFile{}, nil
}

func mergeConfig(v *viper.Viper, path string, data []byte) (configFile, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return configFile{}, fmt.Errorf("read the configuration %q: %w; correct the YAML", path, err)
	}
	file := configFile{path: path, keys: map[string]bool{}}
	if len(document.Content) == 0 {
		return file, nil
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return configFile{}, fmt.Errorf("read the configuration %q: it must be a mapping of keys; run \"ucan config\" to see them", path)
	}
	if faults := collectKeys(document.Content[0], "", file.keys); len(faults) > 0 {
		return configFile{}, fmt.Errorf("read the configuration %q: %s; run \"ucan config\" to see the keys there are", path, strings.Join(faults, ", "))
	}
	var values map[string]any
	if err := document.Decode(&values); err != nil {
		return configFile{}, fmt.Errorf("read the configuration %q: %w; correct the YAML", path, err)
	}
	if err := v.MergeConfigMap(values); err != nil {
		return configFile{}, fmt.Errorf("read the configuration %q: %w", path, err)
	}
	return file, nil
}

// collectKeys walks a mapping, notes the settings it sets, and returns a text for every key that is none.
func collectKeys(node *yaml.Node, prefix string, found map[string]bool) []string {
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
			found[key] = true
		case groups[key] && value.Kind == yaml.MappingNode:
			faults = append(faults, collectKeys(value, key+".", found)...)
		case groups[key] && value.Tag == "!!null":
		default:
			faults = append(faults, fmt.Sprintf("line %d: unknown key %q", node.Content[i].Line, key))
		}
	}
	return faults
}
