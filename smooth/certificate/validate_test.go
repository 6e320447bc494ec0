package certificate_test

import (
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/certificate"
)

// Each forgery is sealed again with a fresh id, so that only the rule itself can find it.
func TestForgeriesOfForm(t *testing.T) {
	for name, forge := range subtest.Rows(map[string]func(*certificate.Certificate){
		"votes that wrap around": func(c *certificate.Certificate) {
			c.Model.Classes = 3000
			for class := 10; class < 10+2048; class++ {
				c.Statistics.Counts[class] = 1 << 53
			}
		},
		"invalid samples beyond counting": func(c *certificate.Certificate) { c.Statistics.Invalid = 1 << 62 },
		"a label below unknown":           func(c *certificate.Certificate) { c.Input.Label = -7 },
		"a norm under another name":       func(c *certificate.Certificate) { c.Noise.Norm = "2" },
		"a stage of another guarantee":    func(c *certificate.Certificate) { c.Stages = []certificate.Stage{{}} },
		"noise of the input as deployed": func(c *certificate.Certificate) {
			c.Noise.NPG = &certificate.NPG{Kind: "certification", Spec: "mu.onnx,sigma.onnx"}
		},
	}) {
		t.Run(name, func(t *testing.T) {
			c := samples(t)["scalar"]
			forge(c)
			if err := c.SetID(); err != nil {
				return // it cannot even be sealed
			}
			findings, err := certificate.Check(c, nil)
			if err == nil && len(findings) == 0 {
				t.Error("the forgery was found to be true")
			}
		})
	}
}
