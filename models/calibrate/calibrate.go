// Package calibrate measures at which batch and on how many sessions and threads a model runs
// fastest on a machine.
package calibrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
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

// Wanted is what of a Setting is given; 0 means that it is to be measured.
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
	usualInput   = 1 << 20               // bytes of the batch of inputs that is tried first
	inputBudget  = 12 << 20              // and of the largest
	memoryBudget = 160 << 20             // bytes that one session may add to the process
	sliceTime    = 40 * time.Millisecond // of one measurement
	totalTime    = 3 * time.Second       // of all of them
	worthIt      = 1.03                  // gain for which a larger batch is taken
)

// Session is what is measured of a classifier.
type Session interface {
	Input() []float32
	Batch() int
	Classify(ctx context.Context, rows int) ([]int32, error)
	Close() error
}

// Model is what is measured.
type Model struct {
	// Dim is the number of values of a row.
	Dim int
	// Open opens the sessions of a setting, Workers of them.
	Open func(ctx context.Context, s Setting) ([]Session, error)
	// Cache is the file that keeps the choice for the next time, "" for none.
	Cache string
}

// Measure chooses the physical batch and the split of the threads by a short
// measurement, a few seconds at most, within bounds on memory: the more values a row
// has, the smaller the batches tried. What the cache holds is not measured again, so that
// later runs get the same bits.
func (m Model) Measure(ctx context.Context, want Wanted) (Setting, error) {
	if err := want.Validate(); err != nil {
		return Setting{}, err
	}
	if want.Batch > 0 && (want.Workers > 0 || want.Threads == 1) {
		w := max(want.Workers, 1)
		return Setting{Batch: want.Batch, Workers: w, IntraOp: want.Threads / w}, nil
	}
	if s, ok := readSetting(m.Cache); ok {
		return s, nil
	}
	s, done, err := m.measure(ctx, want)
	if err != nil {
		return Setting{}, err
	}
	if done {
		// A cache that cannot be written costs the next run its measurement, no more.
		_ = writeSetting(m.Cache, s)
	}
	return s, nil
}

// measure tries the splits of the threads, and for each batches around a usual
// one until they stop paying. done is false when time ran out first.
func (m Model) measure(ctx context.Context, want Wanted) (best Setting, done bool, err error) {
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
func (m Model) batches() (up, down []int) {
	row := 4 * m.Dim
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
func (m Model) time(ctx context.Context, s *Setting) (grown int64, err error) {
	before := residentBytes()
	all, err := m.Open(ctx, *s)
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
func together(ctx context.Context, all []Session) (rows int, took time.Duration, err error) {
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
