package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/results"
	"ucan/models"
	"ucan/runtime"
)

// openSource opens a source until the command ends, and says what it leaves out.
func (a *app) openSource(ctx context.Context, spec string, options dataset.Options) (*dataset.Source, error) {
	source, err := dataset.Open(ctx, spec, options)
	if errors.Is(err, dataset.ErrSpec) {
		return nil, usage(err)
	}
	if err != nil {
		return nil, err
	}
	a.onClose(source.Close)
	for _, note := range source.Info().Notes {
		a.warn("%s: %s", source.Info().Name, note)
	}
	return source, nil
}

// openSetup opens a model beside its data until the command ends. An empty spec stands for a model
// alone. stored is how the run that is resumed ran its model, nil for a new one: what can change a
// result's last bits is chosen once.
func (a *app) openSetup(ctx context.Context, model *modelOptions, so *sessionOptions, do *dataOptions, stored *models.Setting) (*certify.Setup, error) {
	rt, err := runtime.Open(ctx, so.runtime)
	if err != nil {
		return nil, err
	}
	a.onClose(rt.Close)
	r := certify.Request{
		Runtime: rt, Model: model.file,
		Options:     models.Options{Declared: model.declared, Session: so.options(), CacheDir: cacheFolder()},
		DataOptions: do.options, Selection: do.selection,
		Setting: func(ctx context.Context, m *models.Model) (models.Setting, error) {
			a.noteFindings(model.file, m)
			slow := time.AfterFunc(time.Second, func() {
				a.note("measuring at which batch and with how many threads %s runs fastest; it is remembered for the next run", m.Name())
			})
			defer slow.Stop()
			return so.setting(ctx, m, stored)
		},
	}
	if do.spec != "" {
		r.Data = func(ctx context.Context, o dataset.Options) (*dataset.Source, error) {
			return a.openSource(ctx, do.spec, o)
		}
	}
	s, err := certify.Open(ctx, r)
	if err != nil {
		return nil, modelError(err)
	}
	a.onClose(s.Close)
	for _, note := range s.Notes {
		a.note("%s: %s", s.Info.Name, note)
	}
	for _, f := range s.Classifiers[0].Fallbacks() {
		a.warn("runs on %s, not %s: %s", s.Classifiers[0].Provider(), f.Provider, f.Reason)
	}
	return s, nil
}

// noteFindings says what was guessed about a model.
func (a *app) noteFindings(path string, m *models.Model) {
	for _, f := range m.Report().Findings {
		if f.Kind != "guessed" && f.Kind != "warning" {
			continue
		}
		hint := ""
		if f.Flag != "" {
			hint = " (change it with " + f.Flag + ")"
		}
		a.note("%s: %s%s", filepath.Base(path), f.Text, hint)
	}
}

// setting decides how the model runs: as in the run that is resumed, or anew where stored is nil.
func (o *sessionOptions) setting(ctx context.Context, m *models.Model, stored *models.Setting) (models.Setting, error) {
	if stored == nil {
		s, err := certify.Sizing{Threads: o.threads, Workers: o.workers, Batch: o.batch}.Choose(ctx, m)
		return s, usage(err)
	}
	s := *stored
	if o.workers > 0 {
		s.Workers = o.workers
	}
	return s, nil
}

// cacheFolder is the folder of measured settings and of models known to load, "" for none.
func cacheFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ucan")
}

// checkClean refuses a model that cannot tell clean inputs apart, or, where force is set, records
// that.
func (a *app) checkClean(ctx context.Context, s *certify.Setup, force bool) error {
	verdict, err := s.CheckClean(ctx)
	for _, warning := range verdict.Warnings {
		a.warn("%s", warning)
	}
	if err != nil || verdict.OK() {
		return err
	}
	if force {
		a.warn("%s; going on all the same, as --force asks", verdict)
		s.Forced = verdict.String()
		return nil
	}
	return refusef("check %s on clean inputs of %s: %s; correct it, or pass --force to go on all the same", s.Model.Name(), s.Info.Name, verdict)
}

// warnOfOutputs says what looks wrong in the model's outputs; predictions claim nothing, so none is
// refused.
func (a *app) warnOfOutputs(ctx context.Context, s *certify.Setup) error {
	verdict, err := s.CheckClean(ctx)
	switch verdict.Verdict { //nolint:exhaustive // the others are for certificates
	case dataset.CleanContradicted:
		return refusef("predict: %s", verdict.Cause)
	case dataset.CleanFaulty:
		a.warn("%s", verdict.Cause)
	}
	for _, warning := range verdict.Warnings {
		a.warn("%s", warning)
	}
	return err
}

// checkRows runs trial batches on rows of the inputs, and says what it tried.
func (a *app) checkRows(ctx context.Context, s *certify.Setup, indices []int, seed uint64, seal certify.Seal) error {
	if err := s.CheckRows(ctx, indices, seed, seal); err != nil {
		return err
	}
	if s.Rows != nil {
		a.note("%s", s.Rows)
	}
	return nil
}

// newRecord is the record of a run of the command on the setup.
func (a *app) newRecord(ctx context.Context, s *certify.Setup, command string, noise *certify.NoiseSource) results.Run {
	run := s.Record(ctx, command, noise)
	run.Environment["ucan"], run.Environment[cpuKey] = buildVersion(), a.processor
	return run
}

// seedNumber writes all 64 bits of a seed as a JSON number.
func seedNumber(seed uint64) json.Number { return json.Number(strconv.FormatUint(seed, 10)) }

// openWriter opens the outputs of a run; faults of them that the user can mend are faults of usage.
func (a *app) openWriter(c results.Config) (*results.Writer, error) {
	w, err := results.Open(c)
	if errors.Is(err, results.ErrExists) || errors.Is(err, results.ErrMismatch) {
		return nil, usage(err)
	}
	if err != nil {
		return nil, err
	}
	a.resumable = c.TSV != "" || c.JSONL != ""
	a.onClose(w.Close)
	return w, nil
}
