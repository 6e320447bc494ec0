package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"ucan/internal/results"
	"ucan/models"
)

// runOptions are those of a run over the inputs of a data source, with a row for each: what certify
// and predict have in common.
type runOptions struct {
	model      modelOptions
	data       dataOptions
	noise      noiseOptions
	selector   selectorOptions
	statistics statisticsOptions
	session    sessionOptions
	output     outputOptions
	seed       seedOptions
}

// declare leaves the statistics to the command.
func (r *runOptions) declare(o *options) {
	r.model.declare(o)
	r.data.declare(o)
	r.noise.declare(o)
	r.selector.declare(o)
	r.seed.declare(o)
	r.session.declare(o)
	r.output.declare(o)
}

// check leaves noise, statistics and outputs to the command.
func (r *runOptions) check(f *faults) {
	r.model.check(f)
	r.data.check(f)
	r.session.check(f)
	r.seed.check(f)
}

// checkNoise checks the noise, or the noises that a selector picks among.
func (r *runOptions) checkNoise(f *faults) {
	r.noise.scaled = r.selector.given()
	r.noise.check(f)
	r.selector.check(f, &r.noise, r.statistics.N)
}

// resume refuses outputs that exist unless their run is resumed, and fixes the seed. It returns how
// the sessions of the resumed run were set, nil for a new run.
func (r *runOptions) resume() (*models.Setting, error) {
	if !r.output.resume {
		if err := refuseExisting(r.output.outputs()); err != nil {
			return nil, err
		}
	}
	earlier, err := r.output.earlier()
	if err != nil {
		return nil, err
	}
	if earlier == nil {
		r.seed.fix()
		return nil, nil
	}
	if stored, ok := earlier.Configuration["seed"]; ok && !r.seed.given {
		if r.seed.value, err = strconv.ParseUint(fmt.Sprint(stored), 10, 64); err != nil {
			return nil, fmt.Errorf("read the stored run: its seed %v is not a number; start anew under another name", stored)
		}
		r.seed.given = true
	}
	r.seed.fix()
	return storedSetting(earlier)
}

// storedSetting is how the sessions of a stored run were set, nil where it does not say.
func storedSetting(run *results.Run) (*models.Setting, error) {
	stored, ok := run.Environment["setting"]
	if !ok {
		return nil, nil
	}
	var setting models.Setting
	text, err := json.Marshal(stored)
	if err == nil {
		err = json.Unmarshal(text, &setting)
	}
	if err != nil || setting.Batch < 1 || setting.Workers < 1 || setting.IntraOp < 1 {
		return nil, fmt.Errorf("read the stored run: its setting %s is damaged; start anew under another name", text)
	}
	return &setting, nil
}
