package worker

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ucan/internal/redact"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

// Metrics counts what a process does, and shows it in Prometheus's text format together with what
// the store says of its runs. The format is small and settled, so that no client library is needed
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
type Metrics struct {
	mutex    sync.Mutex
	samples  int64
	rows     int64
	shards   int64
	failures map[string]int64
	buckets  []int64 // of durations, by bounds(); the last is unbounded
	seconds  float64
}

// bounds are the upper ends of the histogram of shard durations, in seconds.
func bounds() []float64 {
	return []float64{0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000}
}

// NewMetrics starts at zero.
func NewMetrics() *Metrics {
	return &Metrics{failures: map[string]int64{}, buckets: make([]int64, len(bounds())+1)}
}

// Done counts an attempt that ended; kind is "" for success. It has the form of queue.Config.Done.
func (m *Metrics) Done(_ queue.Task, kind string, result *store.ShardResult, elapsed time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if kind != "" {
		m.failures[kind]++
		return
	}
	m.shards++
	m.samples += result.Samples
	m.rows += int64(len(result.Rows))
	i, _ := slices.BinarySearch(bounds(), elapsed.Seconds())
	m.buckets[i]++
	m.seconds += elapsed.Seconds()
}

// Write writes the counters of this process.
func (m *Metrics) Write(w io.Writer) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	metric(w, "ucan_samples_total", "counter", "Noisy copies classified by this process; its rate is samples/s.", float64(m.samples))
	metric(w, "ucan_certificates_total", "counter", "Certificates made by this process.", float64(m.rows))
	head(w, "ucan_failures_total", "counter", "Attempts of this process that failed or were released, by kind.")
	for _, kind := range slices.Sorted(maps.Keys(m.failures)) {
		fmt.Fprintf(w, "ucan_failures_total{kind=%s} %d\n", label(kind), m.failures[kind])
	}
	head(w, "ucan_shard_duration_seconds", "histogram", "Wall-clock time of the shards finished by this process.")
	var sum int64
	for i, bound := range append(bounds(), math.Inf(1)) {
		sum += m.buckets[i]
		fmt.Fprintf(w, "ucan_shard_duration_seconds_bucket{le=\"%s\"} %d\n", number(bound), sum)
	}
	fmt.Fprintf(w, "ucan_shard_duration_seconds_sum %s\nucan_shard_duration_seconds_count %d\n", number(m.seconds), sum)
	if held, err := resident(); err == nil {
		metric(w, "process_resident_memory_bytes", "gauge", "Physical memory of this process.", float64(held))
	}
}

// writeRuns writes, for every run of the store, its shards by state, its certificates and samples,
// and its failures by kind.
func writeRuns(ctx context.Context, w io.Writer, q *queue.Queue) error {
	runs, err := q.Store().Runs(ctx)
	if err != nil {
		return err
	}
	var shards, rows, samples, failures strings.Builder
	for _, run := range runs {
		c, countErr := q.Counts(ctx, run)
		if countErr != nil {
			return countErr
		}
		id := label(run.ID()[:min(12, len(run.ID()))])
		for _, state := range []struct {
			name string
			n    int64
		}{{"done", c.Done}, {"running", c.Running}, {"waiting", c.Waiting}, {"unsent", c.Unsent}, {"poisoned", c.Poisoned}, {"cancelled", c.Cancelled}} {
			fmt.Fprintf(&shards, "ucan_run_shards{run=%s,state=%q} %d\n", id, state.name, state.n)
		}
		p, progressErr := q.Store().Progress(ctx, run.Number)
		if progressErr != nil {
			return progressErr
		}
		fmt.Fprintf(&rows, "ucan_run_certificates{run=%s} %d\n", id, p.Rows)
		fmt.Fprintf(&samples, "ucan_run_samples_total{run=%s} %d\n", id, p.Samples)
		kinds, kindErr := q.Store().FailureKinds(ctx, run.Number)
		if kindErr != nil {
			return kindErr
		}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			fmt.Fprintf(&failures, "ucan_run_failures_total{run=%s,kind=%s} %d\n", id, label(kind), kinds[kind])
		}
	}
	for _, part := range []struct{ name, kind, help, text string }{
		{"ucan_run_shards", "gauge", "Shards of a run by state; waiting is the depth of the queue.", shards.String()},
		{"ucan_run_certificates", "gauge", "Certificates stored for a run.", rows.String()},
		{"ucan_run_samples_total", "counter", "Noisy copies classified for a run, by all processes; its rate is samples/s.", samples.String()},
		{"ucan_run_failures_total", "counter", "Failed attempts of a run, by kind.", failures.String()},
	} {
		head(w, part.name, part.kind, part.help)
		fmt.Fprint(w, part.text)
	}
	return nil
}

func head(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func metric(w io.Writer, name, kind, help string, v float64) {
	head(w, name, kind, help)
	fmt.Fprintf(w, "%s %s\n", name, number(v))
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// label quotes a label's value.
func label(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
}

// Serve shows the metrics at /metrics of the address until ctx ends, and returns the address that
// was taken. A port without a machine means this machine only.
func (m *Metrics) Serve(ctx context.Context, address string, q *queue.Queue) (string, error) {
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("show metrics on %q: %w; choose another --metrics address", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.Write(w)
		if err := writeRuns(r.Context(), w, q); err != nil {
			fmt.Fprintf(w, "# the store cannot be read: %s\n", redact.Text(strings.Join(strings.Fields(err.Error()), " ")))
		}
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }() // it ends with ctx
	return listener.Addr().String(), nil
}
