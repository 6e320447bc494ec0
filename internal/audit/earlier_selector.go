package audit

import (
	"encoding/json"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/certificate"
)

// selectorText is text for a run whose selector picks the noise.
func (t RunTerms) selectorText() (string, error) {
	stage := smooth.Certification{Abstained: true, Method: t.Method, Alpha: t.Alpha / 2, Bound: smooth.OneBound}
	second := stage
	second.Bound = t.Bound
	result, err := smooth.Compose(stage, second)
	if err != nil {
		return "", err
	}
	head := t.Head
	head.Guarantee, head.NPG = smooth.BySelector, t.NPG
	head.Input = certificate.Input{Shape: []int{t.Nominal.Dim()}, Label: -1}
	sample, err := certificate.New(head, t.Nominal, result)
	if err != nil {
		return "", err
	}
	return selectorTerms(sample), nil
}

// selectorTerms lists what the certificates of a service with a selector have in common: the
// selector, its noise, the sets and the statistics but for what was counted.
func selectorTerms(c *certificate.Certificate) string {
	first := c.Stages[0]
	digest, err := first.Noise.Digest()
	if err != nil {
		digest = "?"
	}
	sets, err := json.Marshal(c.Stages[1].Sets)
	if err != nil {
		sets = []byte("?")
	}
	method := first.Statistics.Method
	return fmt.Sprintf("selector %.12s, %s, seed %d, noise %.12s, sets %s in %s, %s at alpha %v",
		first.Model.SHA256, first.Model.Decision, uint64(c.Run.Seed), digest, sets, c.Noise.Norm, method, float64(c.Statistics.Alpha))
}
