package matrix

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"ucan/internal/dataset"
)

// SourceText writes a specification in the form that dataset.ParseSpec reads back, whatever bytes
// its paths hold.
func SourceText(s dataset.Spec) string {
	var b strings.Builder
	b.WriteString(s.Kind)
	for i, path := range s.Paths {
		b.WriteByte(":,"[min(i, 1)])
		b.WriteString(escape(path))
	}
	for i, key := range slices.Sorted(maps.Keys(s.Params)) {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(key + "=" + escape(s.Params[key]))
	}
	return b.String()
}

// escape protects commas, question marks, ampersands and percent signs.
func escape(text string) string {
	return strings.NewReplacer("&", "%26", "%2F", "/").Replace(url.PathEscape(text))
}
