package matrix

import (
	"fmt"
	"io"

	"ucan/internal/table"
)

// Refusal is a combination that does not run. Dataset or Noise is "" where the reason holds for all
// of them.
type Refusal struct {
	Model   string `json:"model"`
	Dataset string `json:"dataset,omitempty"`
	Noise   string `json:"noise,omitempty"`
	// Reason says in one line what is wrong and what to do.
	Reason string `json:"reason"`
}

// WriteRefusals writes refusals, if there are any, as a table; verb is "make" or "made".
func WriteRefusals(w io.Writer, refusals []Refusal, verb string) error {
	if len(refusals) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nRefused: these %s no certificates.\n", verb)
	t := table.New("model", "dataset", "noise", "reason")
	for _, r := range refusals {
		t.Row(r.Model, OrAll(r.Dataset), OrAll(r.Noise), r.Reason)
	}
	_, err := t.WriteTo(w)
	return err
}

// OrAll is the name, or "(all)" where there is none.
func OrAll(name string) string {
	if name == "" {
		return "(all)"
	}
	return name
}
