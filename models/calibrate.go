package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"time"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
	"ucan/runtime/processor"
)

// Setting is how a model is run on a machine. Every part of it may change the last
// bits of a score: store it with the results and reuse it on resume.
type Setting struct {
	// Batch is the physical batch of every session.
	Batch int `json:"batch"`
	// Workers is the number of sessions that run at the same time, IntraOp the
	// threads of each.
	Workers int `json:"workers"`
	IntraOp int `json:"intra_op"`
	// RowsPerSecond is what was measured, all workers together.
	RowsPerSecond float64 `json:"rows_per_second"`
	// Cached says that the setting was measured by an earlier run.
	Cached bool `json:"-"`
}

// Wanted says what of a Setting is given; 0 means that it is to be measured.
type Wanted struct {
	// Threads is the number of threads in all, workers × intra-op; at least 1.
	Threads int
	Batch   int
	Workers int
}

// Validate reports every value out of range.
func (w Wanted) Validate() error {
	var errs []error
	if w.Threads < 1 || w.Threads > 1024 {
		errs = append(errs, fmt.Errorf("threads is %d; give 1 to 1024", w.Threads))
	}
	if w.Batch < 0 {
		errs = append(errs, fmt.Errorf("batch is %d; give at least 1, or leave it out", w.Batch))
	}
	if w.Workers < 0 || w.Workers > max(w.Threads, 1) {
		errs = append(errs, fmt.Errorf("workers is %d of %d threads; give at most one a thread", w.Workers, w.Threads))
	}
	return errors.Join(errs...)
}

// The limits of a calibration.
const (
	usualInput   = 1 << 20                // bytes of the batch of inputs that is tried first
	inputBudget  = 12 << 20               // and of the largest
	memoryBudget = 160 << 20              // bytes that one session may add to the process
	sliceTime    = 40 * time.Millisecond  // of one measurement
	totalTime    = 3 * time.Second        // of all of them
	worthIt      = 1.03                   // gain for which a larger batch is taken
	calibration  = "ucan.calibration/3\n" // version of the cache's content
)

// Calibrate chooses the physical batch and the split of the threads by a short
// measurement, a few seconds at most, within bounds on memory: the more values a row
// has, the smaller the batches tried. With Options.CacheDir set, the choice is kept
// for the same model, preprocessing, machine, provider and wish, so that later runs
// get the same bits and need no measurement.
func (m *Model) Calibrate(ctx context.Context, want Wanted) (Setting, error) {
	if err := want.Validate(); err != nil {
		return Setting{}, fmt.Errorf("calibrate %s: %w", m.Name(), err)
	}
	if m.fixedBatch > 0 {
		if want.Batch > 0 && want.Batch != m.fixedBatch {
			return Setting{}, fmt.Errorf("calibrate %s: %w", m.Name(), m.wrongBatch(want.Batch))
		}
		want.Batch = m.fixedBatch
	}
	if want.Batch > 0 && (want.Workers > 0 || want.Threads == 1) {
		w := max(want.Workers, 1)
		return Setting{Batch: want.Batch, Workers: w, IntraOp: want.Threads / w}, nil
	}
	file := m.cacheFile(want)
	if s, ok := readSetting(file); ok {
		return s, nil
	}
	s, done, err := m.measureSettings(ctx, want)
	if err != nil {
		return Setting{}, fmt.Errorf("calibrate %s: %w", m.Name(), err)
	}
	if done {
		// A cache that cannot be written costs the next run its measurement, no more.
		_ = writeSetting(file, s)
	}
	return s, nil
}

// measureSettings tries the splits of the threads, and for each batches around a usual
// one until they stop paying. done is false when time ran out first.
func (m *Model) measureSettings(ctx context.Context, want Wanted) (best Setting, done bool, err error) {
	splits := []int{want.Workers}
	if want.Workers == 0 {
		splits = []int{want.Threads}
		if want.Threads > 1 {
			splits = append(splits, 1)
		}
	}
	up, down := []int{want.Batch}, []int(nil)
	if want.Batch == 0 {
		up, down = m.batches()
	}
	deadline := time.Now().Add(totalTime)
	done = true
	for _, workers := range splits {
		for _, sizes := range [][]int{up, down} {
			worse := 0
			for _, batch := range sizes {
				if best.Batch > 0 && time.Now().After(deadline) {
					return best, false, nil
				}
				s := Setting{Batch: batch, Workers: workers, IntraOp: max(1, want.Threads/workers)}
				grown, err := m.time(ctx, &s)
				switch {
				case ctx.Err() != nil || err != nil && best.Batch == 0:
					return Setting{}, false, err
				case err != nil:
					worse = 2 // too large for this provider's memory, most likely
				case best.Batch == 0 || s.RowsPerSecond > worthIt*best.RowsPerSecond:
					best, worse = s, 0
				default:
					worse++
				}
				if worse == 2 || grown > int64(workers)*memoryBudget {
					break
				}
			}
		}
	}
	return best, done, nil
}

// batches lists the batch sizes to try: from a usual one upwards, within the budget
// for inputs, and then downwards.
func (m *Model) batches() (up, down []int) {
	row := 4 * m.Dim()
	usual := 1
	for usual < 128 && 2*usual*row <= usualInput {
		usual *= 2
	}
	for n := usual; n == usual || n <= 512 && n*row <= inputBudget; n *= 2 {
		up = append(up, n)
	}
	for n := usual / 2; n >= max(1, usual/8); n /= 2 {
		down = append(down, n)
	}
	return up, down
}

// time measures one setting: the rows a second of all workers together, the best of
// several slices, and by how many bytes the process grew.
func (m *Model) time(ctx context.Context, s *Setting) (grown int64, err error) {
	before := residentBytes()
	all, err := m.Classifiers(ctx, s.Workers, s.Batch, s.IntraOp)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.Close())
		}
	}()
	rng := rand.New(rand.NewPCG(uint64(s.Batch), uint64(s.Workers)))
	for _, c := range all {
		x := c.Input()
		for i := range x {
			x[i] = rng.Float32()
		}
		if _, err := c.Classify(ctx, s.Batch); err != nil { // the first run allocates
			return 0, err
		}
	}
	for range 3 {
		rows, took, err := together(ctx, all)
		if err != nil {
			return 0, err
		}
		s.RowsPerSecond = max(s.RowsPerSecond, float64(rows)/took.Seconds())
	}
	return residentBytes() - before, nil
}

// together runs all classifiers at once for a slice of time.
func together(ctx context.Context, all []*Classifier) (rows int, took time.Duration, err error) {
	var (
		wg     sync.WaitGroup
		counts = make([]int, len(all))
		errs   = make([]error, len(all))
		start  = time.Now()
	)
	for w, c := range all {
		wg.Go(func() {
			for counts[w] == 0 || time.Since(start) < sliceTime {
				if _, errs[w] = c.Classify(ctx, c.Batch()); errs[w] != nil {
					return
				}
				counts[w] += c.Batch()
			}
		})
	}
	wg.Wait()
	took = time.Since(start)
	for _, n := range counts {
		rows += n
	}
	return rows, took, errors.Join(errs...)
}

// residentBytes is the memory that the process holds, 0 where the system does not
// tell.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// cacheFile is where the setting for a wish is kept, "" without a cache.
func (m *Model) cacheFile(want Wanted) string {
	if m.opts.CacheDir == "" {
		return ""
	}
	h := sha256.New()
	prep, err := json.Marshal(m.report.Prep)
	if err != nil {
		return ""
	}
	fmt.Fprintf(h, "%s%s\n%s\n%s\n%v\n%s\n%s\n%s/%s %d\n%s\n%+v\n", calibration, m.sha256, prep, m.decision, m.source,
		m.provider, m.rt.Version(), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), processor.Current(), want)
	return filepath.Join(m.opts.CacheDir, "calibration", hex.EncodeToString(h.Sum(nil)[:16])+".json")
}

func readSetting(file string) (Setting, bool) {
	if file == "" {
		return Setting{}, false
	}
	b, err := files.Read(file, files.MaxRecord)
	if err != nil {
		return Setting{}, false
	}
	s := Setting{Cached: true}
	// Anything odd in a cache means measuring again.
	if json.Unmarshal(b, &s) != nil || s.Batch < 1 || s.Workers < 1 || s.IntraOp < 1 || s.Workers > 1024 || s.IntraOp > 1024 {
		return Setting{}, false
	}
	return s, true
}

// writeSetting writes the file whole or not at all.
func writeSetting(file string, s Setting) error {
	if file == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(file, append(b, '\n'))
}
