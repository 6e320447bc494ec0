package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	goruntime "runtime"

	"ucan/models/calibrate"
	"ucan/runtime/processor"
)

// How a model is run on a machine; see package calibrate.
type (
	Setting = calibrate.Setting
	Wanted  = calibrate.Wanted
)

// calibrationVersion is the version of the cache's content.
const calibrationVersion = "ucan.calibration/3\n"

// Calibrate chooses the physical batch and the split of the threads by a short
// measurement, a few seconds at most. With Options.CacheDir set, the choice is kept
// for the same model, preprocessing, machine, provider and wish, so that later runs
// get the same bits and need no measurement.
func (m *Model) Calibrate(ctx context.Context, want Wanted) (Setting, error) {
	var s Setting
	err := want.Validate()
	if err == nil && m.fixedBatch > 0 && want.Batch > 0 && want.Batch != m.fixedBatch {
		err = m.wrongBatch(want.Batch)
	}
	if err == nil {
		if m.fixedBatch > 0 {
			want.Batch = m.fixedBatch
		}
		s, err = calibrate.Model{Dim: m.Dim(), Open: m.openSetting, Cache: m.cacheFile(want)}.Measure(ctx, want)
	}
	if err != nil {
		return Setting{}, fmt.Errorf("calibrate %s: %w", m.Name(), err)
	}
	return s, nil
}

// openSetting opens the classifiers of a setting.
func (m *Model) openSetting(ctx context.Context, s Setting) ([]calibrate.Session, error) {
	all, err := m.Classifiers(ctx, s.Workers, s.Batch, s.IntraOp)
	sessions := make([]calibrate.Session, len(all))
	for i, c := range all {
		sessions[i] = c
	}
	return sessions, err
}

// cacheFile is where the setting for a wish is kept, "" without a cache.
func (m *Model) cacheFile(want calibrate.Wanted) string {
	if m.opts.CacheDir == "" {
		return ""
	}
	h := sha256.New()
	prep, err := json.Marshal(m.report.Prep)
	if err != nil {
		return ""
	}
	fmt.Fprintf(h, "%s%s\n%s\n%s\n%v\n%s\n%s\n%s/%s %d\n%s\n%+v\n", calibrationVersion, m.sha256, prep, m.decision, m.source,
		m.provider, m.rt.Version(), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), processor.Current(), want)
	return filepath.Join(m.opts.CacheDir, "calibration", hex.EncodeToString(h.Sum(nil)[:16])+".json")
}
