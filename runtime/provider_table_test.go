package runtime

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ucan/runtime/library"
)

// TestProviderTable fails until a new provider's row is complete, its plugin is pinned and the
// documentation names it.
func TestProviderTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	_, section, _ := strings.Cut(string(doc), "\n## Providers\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				documented[m[1]] = true
			}
		}
	}
	profiled := map[string]string{}
	var plugins []string
	for _, name := range ProviderNames() {
		row := providerTable()[name]
		t.Run(name, func(t *testing.T) {
			if name != strings.ToLower(name) || !ownName.MatchString(name) {
				t.Errorf("the name %q is not lower case", name)
			}
			if !regexp.MustCompile(`^\w+ExecutionProvider$`).MatchString(row.profiled) {
				t.Errorf("profiled is %q; give the name in onnxruntime's profile", row.profiled)
			}
			if other := profiled[row.profiled]; other != "" {
				t.Errorf("profiled is %q, as for %s", row.profiled, other)
			}
			profiled[row.profiled] = name
			if row.add == nil {
				t.Error("the row has no call that adds the provider")
			}
			if !documented[name] {
				t.Error("the table of providers in docs/runtime.md does not name it")
			}
			if list, err := ParseProviders([]string{name}, nil); err != nil || fmt.Sprint(list) != fmt.Sprintf("[{%s map[]}]", name) {
				t.Errorf("parsed as %v, %v", list, err)
			}
		})
		if row.plugin {
			plugins = append(plugins, name)
		}
		delete(documented, name)
	}
	if len(documented) > 0 {
		t.Errorf("docs/runtime.md names %v, which the table does not have", documented)
	}
	if !slices.Equal(plugins, library.PluginNames()) {
		t.Errorf("plugins are %v, and pinned are %v", plugins, library.PluginNames())
	}
}
