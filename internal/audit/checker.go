package audit

import (
	"fmt"

	"ucan/smooth/certificate"
)

// checker checks certificates one by one: their numbers, and the generator that they name. It is
// not safe for concurrent use.
type checker struct {
	numbers *certificate.Checker
	load    certificate.Loader
	proved  map[string]bool // fields that are those of their pattern
}

// newChecker returns a checker. load finds fields outside the certificates, nil when there are
// none; build is the running program as certificates name it in run.ucan
// ([certificate.NewChecker]).
func newChecker(load certificate.Loader, build string) *checker {
	return &checker{numbers: certificate.NewChecker(load, build), load: load, proved: map[string]bool{}}
}

// check lists what is false or altered in a certificate. The error is that of one that cannot be
// checked, and wraps [certificate.ErrUncheckable].
func (x *checker) check(c *certificate.Certificate) ([]certificate.Finding, error) {
	findings, err := x.numbers.Check(c)
	if err != nil || len(findings) > 0 {
		return findings, uncheckable(err)
	}
	finding, err := x.generator(c)
	if err != nil || finding == nil {
		return nil, uncheckable(err)
	}
	return []certificate.Finding{*finding}, nil
}

// checkLine parses and checks one line. The certificate is nil where the line is none, which is a
// finding.
func (x *checker) checkLine(text []byte) (*certificate.Certificate, []certificate.Finding, error) {
	c, err := certificate.Parse(text)
	if err != nil {
		return nil, []certificate.Finding{{Field: "certificate", Stored: "a line", Recomputed: err.Error()}}, nil //nolint:nilerr // a line that is no certificate is a finding
	}
	findings, err := x.check(c)
	return c, findings, err
}

// uncheckable wraps an error, such as that of a field file that cannot be read: nothing is known to
// be false.
func uncheckable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (%w)", err, certificate.ErrUncheckable)
}
