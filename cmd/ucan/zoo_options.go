package main

import (
	"os"
	"path/filepath"
	"time"

	"ucan/internal/zoo/artifact"
)

// storeOptions name the store of zoo runs.
type storeOptions struct{ store string }

func (s *storeOptions) declare(o *options) {
	o.in(zooSection)
	o.text(&s.store, "zoo.store", "store", "", "store of zoo runs: sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE (default: ucan/zoo.db in the user's data folder)").address()
}

func (*storeOptions) check(*faults) {}

// zooRunOptions name a run of a store.
type zooRunOptions struct {
	storeOptions
	run string
}

func (z *zooRunOptions) declare(o *options) {
	z.storeOptions.declare(o)
	o.text(&z.run, "zoo.run", "run", "", "run to look at: its ID or the beginning of it (default: the only one)")
}

// declareStrict declares the switch for runs that refuse nothing.
func declareStrict(o *options, into *bool) {
	o.on(into, "zoo.strict", "strict", "exit 3 when a model, or a pair of model and data, was refused")
}

// declareZooWorkers declares the number of worker processes. The flag means sessions elsewhere, see
// [sessionOptions].
func declareZooWorkers(o *options, into *int, most int) {
	o.count(into, "zoo.workers", "workers", 0, 0, most, "worker processes a queue (0: cpu: as many as have a processor for each of their threads; cuda: one)").as("w")
}

// declareZooOut declares the folder of a run's certificates.
func declareZooOut(o *options, into *string) {
	o.in(outputSection)
	o.text(into, "zoo.out", "out", "", "folder for certificates.tsv, certificates.jsonl and refused.tsv").as("o").output()
}

// artifactOptions name the place where all machines find the files of runs.
type artifactOptions struct {
	location string
	cache    string
	cacheMiB int64
}

func (a *artifactOptions) declare(o *options) {
	o.in(zooSection)
	o.text(&a.location, "zoo.artifacts", "artifacts", "", "folder, or s3://BUCKET[/PREFIX][?endpoint=URL], in which all machines find models and data by their content").address()
	o.text(&a.cache, "zoo.cache", "artifact-cache", "", "folder of what was fetched from there (default: in the user's cache folder)").output()
	o.number(&a.cacheMiB, "zoo.cache_size", "artifact-cache-size", 20480, 0, 1<<40, "most MiB of that folder (0: no limit)")
}

func (*artifactOptions) check(*faults) {}

// depot opens the place where all machines find artifacts, nil when none is named.
func (a *artifactOptions) depot() (artifact.Depot, error) {
	if a.location == "" {
		return nil, nil
	}
	depot, err := artifact.OpenDepot(a.location)
	if err != nil {
		return nil, usagef("read --artifacts: %w", err)
	}
	return depot, nil
}

// resolver finds and verifies the files of runs.
func (a *artifactOptions) resolver() (*artifact.Resolver, error) {
	depot, err := a.depot()
	if err != nil {
		return nil, err
	}
	if depot == nil {
		return artifact.NewResolver(nil, nil)
	}
	folder := a.cache
	if folder == "" {
		base, cacheErr := os.UserCacheDir()
		if cacheErr != nil {
			return nil, usagef("find the user's cache folder: %w; name one with --artifact-cache", cacheErr)
		}
		folder = filepath.Join(base, "ucan", "artifacts")
	}
	cache, err := artifact.OpenCache(folder, a.cacheMiB<<20)
	if err != nil {
		return nil, err
	}
	return artifact.NewResolver(depot, cache)
}

// workerLimits bound a worker process.
type workerLimits struct {
	metrics  string
	memory   int64 // MiB
	keepOpen int
	seconds  float64 // of softStop
}

func (w *workerLimits) declare(o *options) {
	o.in(runtimeSection)
	o.text(&w.metrics, "worker.metrics", "metrics", "", "show Prometheus metrics at this address, such as 9464 (from this machine only) or 0.0.0.0:9464").address()
	o.number(&w.memory, "worker.memory", "memory", 0, 0, 1<<30, "most MiB that a worker process may hold (0: what the control group or the model's settings allow)")
	o.count(&w.keepOpen, "worker.keep_open", "keep-open", 2, 1, 1000, "prepared models that stay open between shards")
	o.float(&w.seconds, "worker.soft_stop", "soft-stop", 10.0, "seconds that a shard may go on after the worker was asked to stop; then it is released")
}

func (w *workerLimits) check(f *faults) {
	if !(w.seconds > 0 && w.seconds < 1e6) {
		f.add(&w.seconds, "%v is out of range: give a positive number of seconds", w.seconds)
	}
}

func (w *workerLimits) softStop() time.Duration {
	return time.Duration(w.seconds * float64(time.Second))
}
