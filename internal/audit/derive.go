package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"ucan/internal/fault"
	"ucan/smooth/certificate"
)

// Derived is what the stored votes of a file support under other terms.
type Derived struct {
	// Certificates are in index order. LabelAware says that some come from label-aware runs.
	Certificates []*certificate.Certificate
	LabelAware   bool
	// SHA256 is the digest of the file.
	SHA256 string
}

// Derive makes the certificates that the votes of a file support at another alpha, norm or bound.
// No model runs and no sample is drawn. Every stored certificate must be true, and the lines in
// index order.
func Derive(ctx context.Context, path string, terms certificate.Terms, load certificate.Loader, build string) (Derived, error) {
	var d Derived
	digest := sha256.New()
	last := int64(-1)
	err := TrueLines(ctx, path, load, build, func(line int, text []byte, stored *certificate.Certificate) error {
		digest.Write(text) // never fails
		if stored.Input.Index <= last {
			return fault.Falsef("line %d: input %d follows %d; lines must be in index order", line, stored.Input.Index, last)
		}
		last = stored.Input.Index
		derived, err := certificate.FromCounts(stored, terms, load)
		if err != nil {
			return fault.Wrongf("line %d: %w", line, err)
		}
		derived.Run.Notes = map[string]string{"derived": "from the votes of certificate " + stored.ID}
		d.Certificates = append(d.Certificates, derived)
		d.LabelAware = d.LabelAware || stored.Statistics.AdaptiveStatistics != nil && stored.Statistics.LabelAware
		return nil
	})
	if err == nil && len(d.Certificates) == 0 {
		err = fault.Wrongf("it holds no certificate; name the file that --json wrote")
	}
	d.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return d, err
}
