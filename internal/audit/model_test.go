package audit

import (
	"encoding/json"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/certificate"
)

func TestOtherModel(t *testing.T) {
	stored := certificate.Model{SHA256: "ab", Preprocessing: json.RawMessage(`{"mean":[0],"std":[1]}`), Decision: "argmax", Classes: 10}
	same := stored
	same.Preprocessing = json.RawMessage(`{ "std": [1], "mean": [0] }`)
	if f, other := OtherModel(stored, same); other {
		t.Errorf("the order of members makes another model: %+v", f)
	}
	for field, change := range subtest.Rows(map[string]func(*certificate.Model){
		"model.sha256":        func(m *certificate.Model) { m.SHA256 = "cd" },
		"model.preprocessing": func(m *certificate.Model) { m.Preprocessing = json.RawMessage(`{"mean":[0.5],"std":[1]}`) },
		"model.denoiser":      func(m *certificate.Model) { m.Denoiser = &certificate.File{SHA256: "ef"} },
		"model.decision":      func(m *certificate.Model) { m.Decision = "argmin" },
		"model.classes":       func(m *certificate.Model) { m.Classes = 2 },
	}) {
		t.Run(field, func(t *testing.T) {
			opened := stored
			change(&opened)
			if f, other := OtherModel(stored, opened); !other || f.Field != field {
				t.Errorf("%s: found %t, %+v", field, other, f)
			}
		})
	}
}
