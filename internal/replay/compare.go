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
	"ucan/smooth/lattice"
	"ucan/smooth/stats"
)

// rejectionLevel is the probability, over all certificates of a file together, of rejecting one that is true.
const rejectionLevel = 1e-6

// agreementLevel marks class counts that differ from the stored ones more than chance explains; it is reported, and
// rejects nothing: another machine's arithmetic moves a few votes.
const agreementLevel = 1e-6

// otherInput lists in what the data's input is not the certified one.
func otherInput(c *certificate.Certificate, item dataset.Item) []certificate.Finding {
	if sum := hex.EncodeToString(item.SHA256[:]); sum != c.Input.SHA256 {
		return []certificate.Finding{{Field: "input.sha256", Stored: c.Input.SHA256, Recomputed: sum}}
	}
	var out []certificate.Finding
	if !slices.Equal(item.Shape, c.Input.Shape) {
		out = append(out, certificate.Finding{Field: "input.shape", Stored: fmt.Sprint(c.Input.Shape), Recomputed: fmt.Sprint(item.Shape)})
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

// sampler draws the first n estimation samples of the run that made a certificate, with the run's own seed, under the
// given noise.
type sampler func(noise *smooth.SealedNoise, n int64) (smooth.Counts, error)

// checkLattice checks a certificate that claims lattice arithmetic: the input must be an 8-bit image, and the run's own
// samples, drawn again, must give the stored votes. Fresh votes cannot tell a float32 run that is called lattice, for the
// two noises have nearly the same law; the same samples can. A float32 run whose votes are the same on the lattice passes
// rightly: its certificate is the one that a lattice run makes. Votes that belong to neither arithmetic prove nothing:
// the run had another kind of processor, library or seed. They are counted in different.
func checkLattice(c *certificate.Certificate, x []float32, load certificate.Loader, sample sampler, different *int) (certificate.Finding, bool, error) {
	finding := certificate.Finding{Field: "noise.arithmetic", Stored: c.Noise.Arithmetic}
	if _, err := lattice.Pixels(x); err != nil {
		finding.Recomputed = err.Error()
		return finding, true, nil //nolint:nilerr // an input that is no 8-bit image is what was looked for
	}
	for _, arithmetic := range []smooth.Arithmetic{smooth.Lattice, smooth.Float32} {
		other := *c
		other.Noise.Arithmetic = string(arithmetic)
		noise, err := other.SealedNoise(load)
		if err != nil {
			return finding, false, err
		}
		counts, err := sample(noise, c.Statistics.N)
		if err != nil {
			return finding, false, err
		}
		if !maps.Equal(certificate.Votes(counts.PerClass), c.Statistics.Counts) || counts.Invalid != c.Statistics.Invalid {
			continue
		}
		if arithmetic == smooth.Lattice {
			return finding, false, nil
		}
		finding.Recomputed = "the votes are those of float32 arithmetic, and not of the lattice"
		return finding, true, nil
	}
	*different++
	return finding, false, nil
}

// contradiction reports a bound under which the fresh votes are all but impossible: P[Bin(n′, p_lower) ≤ k′], or with
// two bounds P[Bin(n′, p_upper) ≥ k′_c] for another class c, at most the level divided by the number of certificates
// and of tests in this one. Samples without a vote count for no class, so the tests stay one-sided.
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

// disagree compares the stored and the fresh class counts. The counts of an adaptive run stopped when they looked
// good, so they are not compared.
func disagree(c *certificate.Certificate, counts smooth.Counts) bool {
	if c.Statistics.Method != string(smooth.MethodFixed) {
		return false
	}
	stored, fresh := maps.Clone(c.Statistics.Counts), certificate.Votes(counts.PerClass)
	stored[int(smooth.NoVote)], fresh[int(smooth.NoVote)] = c.Statistics.Invalid, counts.Invalid
	test, err := stats.CompareCounts(stored, fresh)
	return err == nil && test.PValue <= agreementLevel
}
