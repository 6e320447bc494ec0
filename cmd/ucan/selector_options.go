package main

import (
	"context"
	"math"
	"strconv"
	"strings"

	"ucan/internal/certify"
	"ucan/smooth"
)

// selectorOptions name a selector and the noises that it picks among (guarantee selector), and the
// guarantee that is asked for.
type selectorOptions struct {
	choice certify.Choice

	model     string
	sigma     *float64 // nil where not given
	sets      []string
	samples   int64 // 0 for the default
	guarantee string
}

func (s *selectorOptions) declare(o *options) {
	o.in(noiseSection)
	o.text(&s.guarantee, "noise.guarantee", "guarantee", "", "what the certificates must hold for; another guarantee of the noise is refused (default: what the noise gives)").oneOf(guaranteeNames()...)
	o.text(&s.model, "noise.selector.model", "selector", "", "classifier that picks one of the noises of --set for each input: its class i stands for the i-th")
	o.maybeFloat(&s.sigma, "noise.selector.sigma", "selector-sigma", "standard deviation of the Gaussian noise that the selector is smoothed with")
	o.number(&s.samples, "noise.selector.n", "selector-n", 0, 0, mostSamples, "samples that certify the selector's answer (default: half of --n)")
	o.words(&s.sets, "noise.selector.sets", "set", nil, "a noise that the selector picks among, sigma:S or a value of --npg, with =MODEL for a base classifier of its own (repeatable, in the order of the selector's classes)")
}

func guaranteeNames() []string {
	var names []string
	for _, g := range smooth.Guarantees() {
		names = append(names, string(g))
	}
	return names
}

// given reports whether a selector is asked for.
func (s *selectorOptions) given() bool { return s.model != "" }

// check reads the sets, each as the noise options say but for its scale or generator. Those options
// must have been checked.
func (s *selectorOptions) check(f *faults, n *noiseOptions, samples int64) {
	switch {
	case !s.given():
		for _, into := range []any{&s.sigma, &s.samples, &s.sets} {
			if f.changed(into) {
				f.add(into, "it belongs to a selector; name the selector's model with --selector, or leave it out")
			}
		}
		return
	case s.sigma == nil:
		f.add(&s.sigma, "the selector is smoothed too; give the standard deviation of its noise")
	case !(*s.sigma > 0) || math.IsInf(*s.sigma, 0):
		f.add(&s.sigma, "%v is out of range: give a positive, finite number", *s.sigma)
	}
	if len(s.sets) == 0 {
		f.add(&s.sets, "no noise to pick among; give one for each class of the selector, such as --set sigma:0.25 --set sigma:1")
	}
	for _, own := range []any{&n.NPG, &n.SigmaField, &n.MuField} {
		if f.changed(own) {
			f.add(own, "the noise is one of --set; leave it out")
		}
	}
	s.choice = certify.Choice{Model: s.model, N: s.samples}
	if s.sigma != nil {
		s.choice.Sigma = *s.sigma
	}
	if s.choice.N == 0 {
		s.choice.N = max(1, samples/2)
	}
	for _, text := range s.sets {
		if set, ok := s.parse(f, text, n.Noise); ok {
			s.choice.Sets = append(s.choice.Sets, set)
		}
	}
}

// parse reads NOISE or NOISE=MODEL. What follows the last equals sign is a model unless it is a
// number, as in pattern:dct,kappa=16.
func (s *selectorOptions) parse(f *faults, text string, noise certify.Noise) (certify.Set, bool) {
	spec, model := text, ""
	if i := strings.LastIndexByte(text, '='); i >= 0 {
		if _, err := strconv.ParseFloat(text[i+1:], 64); err != nil {
			spec, model = text[:i], text[i+1:]
			if model == "" {
				f.add(&s.sets, "%q names no model behind its last \"=\"; give one, or leave the sign out", text)
				return certify.Set{}, false
			}
		}
	}
	if scale, ok := strings.CutPrefix(spec, "sigma:"); ok {
		v, err := strconv.ParseFloat(scale, 64)
		if err != nil || !(v > 0) || math.IsInf(v, 0) {
			f.add(&s.sets, "%q: give a positive, finite number behind \"sigma:\"", text)
			return certify.Set{}, false
		}
		noise.Sigma, noise.Lambda = v, 0
	} else {
		noise.NPG = spec
	}
	return certify.Set{Noise: noise, Model: model}, true
}

// want refuses noise that does not give the guarantee asked for.
func (s *selectorOptions) want(has smooth.Guarantee) error {
	want := smooth.Guarantee(s.guarantee)
	if want == "" || want == has {
		return nil
	}
	how := map[smooth.Guarantee]string{
		smooth.Deployed:   "it needs noise that is the same for all inputs: a pattern, a field or a dataset-wise bundle",
		smooth.Pinned:     "it needs a generator that looks at each input",
		smooth.BySelector: "it needs --selector and --set",
	}[want]
	if how == "" {
		how = "this command has no noise that gives it"
	}
	return refusef("certify with the guarantee %q: this noise gives %q, which %s; %s", want, has, has.Sentence(), how)
}

// openChoice opens the selector and its sets until the command ends, and checks each of their
// models as that of the run is.
func (a *app) openChoice(ctx context.Context, s *certify.Setup, o *selectorOptions, seed uint64, force bool) (*certify.Chooser, error) {
	chooser, err := s.OpenChoice(ctx, o.choice, seed)
	if err != nil {
		return nil, modelError(err)
	}
	a.onClose(chooser.Close)
	for i, other := range chooser.Others() {
		if i == 0 {
			continue // the selector's classes are sets, of which the data know nothing
		}
		if err := a.checkClean(ctx, other, force); err != nil {
			return nil, err
		}
	}
	return chooser, nil
}

// checkChoiceRows runs trial batches on the models of a chooser.
func (a *app) checkChoiceRows(ctx context.Context, chooser *certify.Chooser, seed uint64) error {
	for _, t := range chooser.Trials() {
		if err := a.checkRows(ctx, t.Setup, t.Setup.Indices, seed, t.Seal); err != nil {
			return err
		}
	}
	return nil
}
