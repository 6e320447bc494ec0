package audit

import (
	"encoding/json"
	"fmt"

	"ucan/smooth/certificate"
)

// OtherModel reports the first way in which the opened classifier is not the certified one: its
// bytes, what stands in front of it, or how its scores become a class.
func OtherModel(stored, opened certificate.Model) (certificate.Finding, bool) {
	denoiser := func(m certificate.Model) string {
		if m.Denoiser == nil {
			return "none"
		}
		return m.Denoiser.SHA256
	}
	for _, part := range []struct{ field, stored, opened string }{
		{"model.sha256", stored.SHA256, opened.SHA256},
		{"model.preprocessing", compact(stored.Preprocessing), compact(opened.Preprocessing)},
		{"model.denoiser", denoiser(stored), denoiser(opened)},
		{"model.decision", stored.Decision, opened.Decision},
		{"model.classes", fmt.Sprint(stored.Classes), fmt.Sprint(opened.Classes)},
	} {
		if part.stored != part.opened {
			return certificate.Finding{Field: part.field, Stored: part.stored, Recomputed: part.opened}, true
		}
	}
	return certificate.Finding{}, false
}

// compact brings JSON objects into one form, with sorted members.
func compact(object json.RawMessage) string {
	var tree any
	if err := json.Unmarshal(object, &tree); err != nil {
		return string(object)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return string(object)
	}
	return string(text)
}
