package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"ucan/internal/progress"
	"ucan/smooth"
	"ucan/smooth/certificate"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// rejectionLevel is the probability, over all certificates of a file together, of rejecting one that is true.
const rejectionLevel = 1e-6

// agreementLevel marks class counts that differ from the stored ones more than chance explains; it is printed, and
// rejects nothing: another machine's arithmetic moves a few votes.
const agreementLevel = 1e-6

// resampling is the outcome of repeating the Monte Carlo.
type resampling struct {
	Samples   int64 `json:"samples"`
	Checked   int   `json:"checked"`
	Disagreed int   `json:"disagreed"`
}

func (s resampling) print(w io.Writer) {
	fmt.Fprintf(w, "resampled %d certificates with %d fresh samples each; class counts of %d differ from the stored ones beyond chance\n", s.Checked, s.Samples, s.Disagreed)
}

// resample draws fresh noise for every certified input and compares.
func (a *app) resample(ctx context.Context, path string, n int64, all []*certificate.Certificate, lines []int, note func(int, int64, certificate.Finding)) (*resampling, error) {
	r := a.values()
	model, declared, data := requireModel(r), a.declaration(r), a.dataOptions(r)
	session, err := a.sessionOptions(r)
	if err != nil {
		return nil, err
	}
	var o certifyOptions
	o.seed, o.seedGiven = seedOf(r)
	if err = r.err(); err != nil {
		return nil, err
	}
	if _, err = o.settle(nil); err != nil {
		return nil, err
	}
	bench, err := a.openWorkbench(ctx, model, declared, session, data, nil)
	if err != nil {
		return nil, err
	}
	smoother, err := bench.Smoother(o.seed)
	if err != nil {
		return nil, err
	}
	record, err := bench.ModelRecord()
	if err != nil {
		return nil, err
	}
	out := &resampling{Samples: n}
	folder := certificate.NewFolder(filepath.Dir(path))
	seal, indices := sealStored(all, folder)
	if err = bench.checkRows(ctx, a, indices, o.seed, seal); err != nil {
		return nil, err
	}
	bar := progress.New(a.progressWriter(), a.progressOptions(len(all), 0))
	defer bar.Close()
	for i, c := range all {
		bar.Add(1)
		if c.Status != certificate.Certified {
			continue
		}
		if f, other := otherModel(c.Model, record); other {
			note(lines[i], c.Input.Index, f)
			continue
		}
		item, err := bench.Inputs().At(ctx, int(c.Input.Index))
		if err != nil {
			return nil, fmt.Errorf("resample %q: line %d: %w", path, lines[i], err)
		}
		if sum := hex.EncodeToString(item.SHA256[:]); sum != c.Input.SHA256 {
			note(lines[i], c.Input.Index, certificate.Finding{Field: "input.sha256", Stored: c.Input.SHA256, Recomputed: sum})
			continue
		}
		noise, err := c.SealedNoise(folder)
		if err != nil {
			return nil, fmt.Errorf("resample %q: line %d: %w", path, lines[i], err)
		}
		counts, err := smoother.Sample(ctx, item.X, item.SHA256, noise, stream.Resample, 0, uint64(n))
		if err != nil {
			return nil, fmt.Errorf("resample %q: line %d: %w", path, lines[i], err)
		}
		out.Checked++
		if f, ok := contradiction(c, counts, len(all)); ok {
			note(lines[i], c.Input.Index, f)
		}
		if disagree(c, counts) {
			out.Disagreed++
		}
	}
	return out, nil
}

// otherModel reports the first way in which the opened classifier is not the certified one: its bytes, what stands in
// front of it, or how its scores become a class.
func otherModel(stored, opened certificate.Model) (certificate.Finding, bool) {
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
	stored, fresh := maps.Clone(c.Statistics.Counts), map[int]int64{}
	for class, votes := range counts.PerClass {
		if votes > 0 {
			fresh[class] = votes
		}
	}
	stored[int(smooth.NoVote)], fresh[int(smooth.NoVote)] = c.Statistics.Invalid, counts.Invalid
	test, err := stats.CompareCounts(stored, fresh)
	return err == nil && test.PValue <= agreementLevel
}
