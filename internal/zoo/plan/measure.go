package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"time"

	"ucan/internal/atomicfile"
	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/zoo/cell"
	"ucan/internal/zoo/matrix"
	"ucan/runtime"
	"ucan/runtime/files"
	"ucan/smooth"
	"ucan/smooth/sequential"
	"ucan/smooth/stream"
)

// Config configures how a run is priced. Start from [DefaultConfig].
type Config struct {
	// Workers is the number of workers to estimate for, beside this machine; 0 for none.
	Workers int
	// PilotInputs and PilotSamples are the inputs of a cell that the pilot looks at, and the
	// samples of each; PilotTime ends it early, after three inputs.
	PilotInputs  int
	PilotSamples int64
	PilotTime    time.Duration
	// CacheDir is the folder of measured costs; "" for none.
	CacheDir string
	// Done tells what is certified already; nil: nothing is.
	Done Done
	// Note is told what is being measured; nil for nobody.
	Note func(format string, args ...any)
}

// DefaultConfig draws 256 samples of up to 12 inputs of a cell, for about two seconds.
func DefaultConfig() Config {
	return Config{PilotInputs: 12, PilotSamples: 256, PilotTime: 2 * time.Second}
}

// Validate reports every value out of range.
func (c Config) Validate() error {
	var errs []error
	if c.Workers < 0 {
		errs = append(errs, fmt.Errorf("workers is %d; give 1 or more", c.Workers))
	}
	if c.PilotInputs < 1 || c.PilotSamples < 16 {
		errs = append(errs, fmt.Errorf("a pilot of %d inputs and %d samples says nothing; give at least 1 and 16", c.PilotInputs, c.PilotSamples))
	}
	return errors.Join(errs...)
}

// Make prices a run. opener finds the files where they lay when the run was resolved.
func Make(ctx context.Context, opener *cell.Opener, run *matrix.Run, c Config) (p *Plan, err error) {
	if err = c.Validate(); err != nil {
		return nil, fmt.Errorf("price the run: %w", err)
	}
	if c.Note == nil {
		c.Note = func(string, ...any) {}
	}
	p = &Plan{Run: run.ID, Seed: run.Seed, Refusals: run.Refusals, shardSize: run.ShardSize}
	m := meter{opener: opener, run: run, config: c, tables: sequential.NewTables()}
	defer func() { err = errors.Join(err, m.close()) }()
	for i := range run.Cells {
		price, priceErr := m.price(ctx, &run.Cells[i])
		if priceErr != nil {
			return nil, priceErr
		}
		p.Prices = append(p.Prices, price)
	}
	slices.SortFunc(p.Prices, byName)
	p.sum(run, c.Workers)
	return p, nil
}

// meter measures cells, keeping the pair of the last one open.
type meter struct {
	opener *cell.Opener
	run    *matrix.Run
	config Config
	tables *sequential.Tables

	pair           *cell.Pair
	model, dataset string
	setup          float64
}

func (m *meter) close() error {
	if m.pair == nil {
		return nil
	}
	pair := m.pair
	m.pair = nil
	return pair.Close()
}

func (m *meter) price(ctx context.Context, c *matrix.Cell) (Price, error) {
	work, err := m.run.Resolve(c)
	if err != nil {
		return Price{}, fmt.Errorf("price %w", err)
	}
	statistics := work.Model.Statistics
	p := Price{
		Model: c.Model, Dataset: c.Dataset, Noise: c.Noise, Inputs: c.Inputs, Shards: (c.Inputs + m.run.ShardSize - 1) / m.run.ShardSize,
		FixedPasses: fixedPasses(statistics, c.Inputs),
	}
	p.Passes = p.FixedPasses
	if m.config.Done != nil {
		if p.Done, err = m.config.Done.DoneInputs(ctx, m.run.ID, c); err != nil {
			return p, err
		}
	}
	cost, err := m.cost(ctx, work)
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	if err != nil {
		if !errors.Is(err, runtime.ErrProvider) {
			return p, fmt.Errorf("price %s: %w", work, err)
		}
		// Another machine will have it.
		p.Unmeasured = err.Error()
		return p, nil
	}
	p.SecondsPerPass, p.Setup = cost.SecondsPerPass, cost.Setup
	p.Bytes = int64(float64(c.Inputs)*(rowBytes+2*cost.CertificateBytes) + float64(p.Shards)*shardBytes)
	if statistics.Adaptive != "" {
		p.perInput, p.Pilot = cost.PerInput, len(cost.PerInput)
		p.Passes = mean(cost.PerInput) * float64(c.Inputs)
	}
	p.Seconds = p.Passes * p.Left() * p.SecondsPerPass
	return p, nil
}

// Bytes of a row beside its certificate's text, which is stored once and exported once, and of a
// shard in the queue; docs/scale.md has the measurement.
const (
	rowBytes   = 520
	shardBytes = 1400
)

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}

// cost is what was measured of a cell, kept from one planning to the next.
type cost struct {
	SecondsPerPass float64 `json:"seconds_per_pass"`
	Setup          float64 `json:"setup"`
	// PerInput are the passes expected for each pilot input, nil at a fixed number of samples.
	PerInput []float64 `json:"per_input,omitempty"`
	// CertificateBytes is the length of a certificate's line.
	CertificateBytes float64 `json:"certificate_bytes"`
}

// cost measures a cell, or reads what an earlier plan measured of it on this machine.
func (m *meter) cost(ctx context.Context, c matrix.Combination) (cost, error) {
	file, err := m.cacheFile(c)
	if err != nil {
		return cost{}, err
	}
	if known, ok := readCost(file); ok {
		return known, nil
	}
	m.config.Note("measuring %s", c)
	if err = m.open(ctx, c); err != nil {
		return cost{}, err
	}
	made, err := m.measure(ctx, c)
	if err != nil {
		return cost{}, err
	}
	if file != "" {
		if text, err := json.Marshal(made); err == nil && os.MkdirAll(filepath.Dir(file), 0o755) == nil {
			_ = atomicfile.WriteBytes(file, append(text, '\n')) // without it the next planning measures again
		}
	}
	return made, nil
}

// open makes the pair of a cell, unless it is open.
func (m *meter) open(ctx context.Context, c matrix.Combination) error {
	if m.pair != nil && m.model == c.Model.Name && m.dataset == c.Data.Name {
		return nil
	}
	if err := m.close(); err != nil {
		return err
	}
	begin := time.Now()
	pair, err := m.opener.Open(ctx, m.run, c)
	if err != nil {
		return err
	}
	m.pair, m.model, m.dataset, m.setup = pair, c.Model.Name, c.Data.Name, time.Since(begin).Seconds()
	return nil
}

func (m *meter) measure(ctx context.Context, c matrix.Combination) (cost, error) {
	out := cost{Setup: m.setup}
	certifier, err := m.pair.Certifier(ctx, c)
	if err != nil {
		return out, err
	}
	statistics, err := cell.Statistics(c.Model.Statistics, c.Cell.Inputs)
	if err != nil {
		return out, err
	}
	smoother, err := m.pair.Smoother(m.run.Seed)
	if err != nil {
		return out, err
	}
	began, seen := time.Now(), 0
	for j := range m.config.PilotInputs {
		// Spread over the cell: data are often sorted by class.
		index := c.Data.Index(int(int64(j) * int64(c.Cell.Inputs) / int64(m.config.PilotInputs)))
		item, err := m.pair.Inputs().At(ctx, index)
		var bad *dataset.ItemError
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return out, err
		}
		noise, err := certifier.Noise.Seal(ctx, item.X)
		if err != nil {
			return out, err
		}
		if seen == 0 {
			if out.SecondsPerPass, err = timePass(ctx, smoother, item, noise, m.pair.Setting.Batch); err != nil {
				return out, err
			}
			if out.CertificateBytes, err = m.certificateBytes(ctx, certifier, statistics, item, noise); err != nil {
				return out, err
			}
		}
		seen++
		if statistics.Profile == nil {
			return out, nil
		}
		passes, err := m.expect(ctx, statistics, smoother, item, noise)
		if err != nil {
			return out, err
		}
		out.PerInput = append(out.PerInput, passes)
		if seen >= 3 && time.Since(began) > m.config.PilotTime {
			break
		}
	}
	if seen == 0 {
		return out, errors.New("none of the pilot's inputs can be used; check the data")
	}
	return out, nil
}

// timePass times the sampling of whole batches: the best of several slices, in seconds a pass.
func timePass(ctx context.Context, s *smooth.Smoother, item dataset.Item, noise *smooth.SealedNoise, batch int) (float64, error) {
	const slice, slices = 60 * time.Millisecond, 3
	at, n := uint64(0), uint64(batch)
	if _, err := s.Sample(ctx, item.X, item.SHA256, noise, stream.Pilot, at, at+n); err != nil { // the first run allocates
		return 0, err
	}
	best := 0.0
	for range slices {
		begin, drawn := time.Now(), uint64(0)
		for drawn == 0 || time.Since(begin) < slice {
			at += n
			if _, err := s.Sample(ctx, item.X, item.SHA256, noise, stream.Pilot, at, at+n); err != nil {
				return 0, err
			}
			drawn += n
		}
		if per := time.Since(begin).Seconds() / float64(drawn); best == 0 || per < best {
			best = per
		}
	}
	return best, nil
}

// expect is the number of passes that an input will take under the profile, from the share of the
// leading class (or the label) among a few samples. The share is shrunk towards 1/2: without
// that, an input without a failure would look certain.
func (m *meter) expect(ctx context.Context, o certify.Statistics, s *smooth.Smoother, item dataset.Item, noise *smooth.SealedNoise) (float64, error) {
	counts, err := s.Sample(ctx, item.X, item.SHA256, noise, stream.Pilot, 0, uint64(m.config.PilotSamples))
	if err != nil {
		return 0, err
	}
	k := slices.Max(counts.PerClass)
	if o.LabelAware && item.Label >= 0 {
		k = counts.Votes(item.Label)
	}
	plan, err := o.Plan(noise, m.tables)
	if err != nil {
		return 0, err
	}
	return plan.ExpectedSamples((float64(k) + 0.5) / (float64(counts.N) + 1))
}

// certificateBytes is the length of a certificate of the cell, made of a few samples of another
// seed's streams.
func (m *meter) certificateBytes(ctx context.Context, c *certify.Certifier, o certify.Statistics, item dataset.Item, noise *smooth.SealedNoise) (float64, error) {
	const few = 200
	o.N0, o.N = min(o.N0, few), few
	if o.Profile != nil {
		short := o.Profile.WithCap(few)
		o.Profile = &short
	}
	other, err := m.pair.Smoother(^m.run.Seed)
	if err != nil {
		return 0, err
	}
	method, _, err := o.Method(other, noise)
	if err != nil {
		return 0, err
	}
	trial := *c
	trial.Method = method
	cert, err := trial.Certify(ctx, item)
	if err != nil {
		return 0, err
	}
	text, err := cert.Marshal()
	return float64(len(text)), err
}

// costVersion changes with the meaning of what is kept.
const costVersion = "ucan.zoo.cost/1\n"

// cacheFile is where the cost of a cell on this machine is kept, "" without a cache.
func (m *meter) cacheFile(c matrix.Combination) (string, error) {
	if m.config.CacheDir == "" {
		return "", nil
	}
	one := matrix.Run{Schema: m.run.Schema, Seed: m.run.Seed, Models: []matrix.Model{*c.Model}, Datasets: []matrix.Dataset{*c.Data}, Noise: []matrix.Setting{*c.Noise}, Cells: []matrix.Cell{*c.Cell}}
	id, err := one.Identity()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s%s\n%s\n%s/%s %d\n%d %d", costVersion, id, m.opener.Runtime.Version(), goruntime.GOOS, goruntime.GOARCH, runtime.CPUCount(), m.config.PilotInputs, m.config.PilotSamples))
	return filepath.Join(m.config.CacheDir, "zoo-cost", hex.EncodeToString(sum[:16])+".json"), nil
}

func readCost(file string) (cost, bool) {
	if file == "" {
		return cost{}, false
	}
	text, err := files.Read(file, files.MaxRecord)
	if err != nil {
		return cost{}, false
	}
	var c cost
	// Anything odd in a cache means measuring again.
	if json.Unmarshal(text, &c) != nil || !(c.SecondsPerPass > 0) || !(c.CertificateBytes > 0) {
		return cost{}, false
	}
	return c, true
}
