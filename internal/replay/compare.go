package replay

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"ucan/internal/dataset"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/stats"
)

// rejectionLevel is the probability, over all certificates of a file together, of rejecting one
// that is true.
const rejectionLevel = 1e-6

// agreementLevel marks class counts that differ from the stored ones more than chance explains; it
// is reported, and rejects nothing: another machine's arithmetic moves a few votes.
const agreementLevel = 1e-6

// otherInput lists in what the data's input is not the certified one; data is their range,
// nil where it is not known.
func otherInput(c *certificate.Certificate, item dataset.Item, data *certificate.Box) []certificate.Finding {
	if sum := hex.EncodeToString(item.SHA256[:]); sum != c.Input.SHA256 {
		return []certificate.Finding{{Field: "input.sha256", Stored: c.Input.SHA256, Recomputed: sum}}
	}
	var out []certificate.Finding
	if !slices.Equal(item.Shape, c.Input.Shape) {
		out = append(out, certificate.Finding{Field: "input.shape", Stored: fmt.Sprint(c.Input.Shape), Recomputed: fmt.Sprint(item.Shape)})
	}
	if b := c.Input.Box; b != nil && data != nil && *b != *data {
		out = append(out, certificate.Finding{Field: "input.box", Stored: fmt.Sprint(*b), Recomputed: fmt.Sprint(*data)})
	}
	if label := max(item.Label, -1); label != c.Input.Label {
		now := strconv.Itoa(label)
		if label < 0 {
			now += " (the data have no label; give them with the labels of the run)"
		}
		out = append(out, certificate.Finding{Field: "input.label", Stored: strconv.Itoa(c.Input.Label), Recomputed: now})
	}
	return out
}

// contradiction reports a bound under which the fresh votes are all but impossible: P[Bin(n′,
// p_lower) ≤ k′], or with two bounds P[Bin(n′, p_upper) ≥ k′_c] for another class c, at most the
// level divided by the number of certificates and of tests in this one. Samples without a vote
// count for no class, so the tests stay one-sided.
func contradiction(c *certificate.Certificate, counts smooth.Counts, certificates int) (certificate.Finding, bool) {
	level := rejectionLevel / float64(certificates)
	if c.Statistics.PUpper != nil {
		level /= float64(len(counts.PerClass))
	}
	k := counts.Votes(c.Predict)
	p, err := stats.BinomialCDF(k, counts.N, float64(c.Statistics.PLower))
	if err != nil || p <= level {
		return certificate.Finding{
			Field: "statistics.p_lower", Stored: fmt.Sprint(float64(c.Statistics.PLower)),
			Recomputed: fmt.Sprintf("%d of %d fresh votes for class %d (probability %.2g)", k, counts.N, c.Predict, p),
		}, true
	}
	if c.Statistics.PUpper == nil {
		return certificate.Finding{}, false
	}
	for class, votes := range counts.PerClass {
		if class == c.Predict {
			continue
		}
		p, err := stats.BinomialSurvival(votes, counts.N, float64(*c.Statistics.PUpper))
		if err != nil || p <= level {
			return certificate.Finding{
				Field: "statistics.p_upper", Stored: fmt.Sprint(float64(*c.Statistics.PUpper)),
				Recomputed: fmt.Sprintf("%d of %d fresh votes for class %d (probability %.2g)", votes, counts.N, class, p),
			}, true
		}
	}
	return certificate.Finding{}, false
}

// disagree compares the stored and the fresh class counts. The counts of an adaptive run stopped
// when they looked good, so they are not compared.
func disagree(c *certificate.Certificate, counts smooth.Counts) bool {
	if c.Statistics.Method != string(smooth.MethodFixed) {
		return false
	}
	stored, fresh := maps.Clone(c.Statistics.Counts), certificate.Votes(counts.PerClass)
	stored[int(smooth.NoVote)], fresh[int(smooth.NoVote)] = c.Statistics.Invalid, counts.Invalid
	test, err := stats.CompareCounts(stored, fresh)
	return err == nil && test.PValue <= agreementLevel
}
