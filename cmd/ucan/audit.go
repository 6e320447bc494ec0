package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/attack"
	"ucan/internal/certify"
	"ucan/internal/progress"
	"ucan/internal/replay"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/smooth"
)

func newAuditCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Attack certificates, and what their guarantee leaves open",
		Long: `An audit tries to refute. What it finds is evidence, what it does not find proves nothing: a search can miss.
docs/guarantees.md says what each audit measures.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditAttackCommand(a), newAuditDriftCommand(a), newAuditLeakCommand(a), newAuditManipulationCommand(a))
	return cmd
}

// searchOptions are those of an audit that searches the regions of certificates.
type searchOptions struct {
	model        modelOptions
	data         dataOptions
	seed         seedOptions
	session      sessionOptions
	certificates string
	plot         string
	search       attack.Options
}

func (s *searchOptions) declare(o *options) {
	s.model.declare(o)
	s.data.declare(o)
	o.drop(&s.data.force)
	o.text(&s.certificates, "audit.certificates", "certificates", "", "certificates of these data, as --json of certify wrote them").orFiles()
	s.seed.declare(o)
	declareSearch(o, &s.search)
	declarePicture(o, &s.plot)
	s.session.declare(o)
}

// declareSearch declares how hard a search tries.
func declareSearch(o *options, s *attack.Options) {
	*s = attack.DefaultOptions()
	o.in(statisticsSection)
	o.number(&s.N, "audit.n", "n", s.N, 1, 1<<30, "samples that judge the worst point of an input").as("n")
	o.number(&s.Screen, "audit.screen", "screen", s.Screen, 1, 1<<30, "samples that points are first compared by")
	o.float(&s.Level, "audit.level", "level", s.Level, "probability of calling true certificates violated")
	o.count(&s.Restarts, "audit.restarts", "restarts", s.Restarts, 0, 1<<16, "gradient ascents for each region (0: random search alone)")
	o.count(&s.Steps, "audit.steps", "steps", s.Steps, 1, 1<<16, "steps of an ascent")
	o.count(&s.Draws, "audit.draws", "draws", s.Draws, 1, 1<<16, "noisy copies whose gradients a step averages")
	o.count(&s.Random, "audit.random", "random", s.Random, 0, 1<<16, "random directions for each input")
}

func (s *searchOptions) check(f *faults) {
	s.model.check(f)
	s.data.check(f)
	s.seed.check(f)
	s.session.check(f)
	if !(s.search.Level > 0 && s.search.Level < 1) {
		f.add(&s.search.Level, "%v is out of range: give a probability between 0 and 1, such as 0.01", s.search.Level)
	}
	checkPlot(f, &s.plot)
}

// checkCertificates asks for a file of certificates.
func (s *searchOptions) checkCertificates(f *faults) {
	if s.certificates == "" {
		f.add(&s.certificates, "no certificates given; name the file that certify wrote with --json")
	}
}

// search is one run of such an audit.
type search struct {
	*searchOptions
	a     *app
	name  string // of the audit
	setup *certify.Setup
	file  attack.Certificates
	// indices are the chosen inputs with a certificate that claims something.
	indices  []int
	attacker *attack.Attacker
	// blind is why there are no gradients, "" where there are.
	blind string
	notes []string
}

// openSearch opens certificates, model and data until the command ends.
func (a *app) openSearch(ctx context.Context, o *searchOptions, name string) (*search, error) {
	if err := refuseExisting(plots(o.plot)); err != nil {
		return nil, err
	}
	path := o.certificates
	pins, err := replay.ReadPins(ctx, path, results.Beside(path), buildName())
	if err != nil {
		return nil, fmt.Errorf("audit %s %q: %w", name, path, err)
	}
	s := &search{searchOptions: o, a: a, name: name}
	o.search.Seed = o.seed.fix()
	if s.setup, err = a.openSetup(ctx, &o.model, &o.session, &o.data, nil); err != nil {
		return nil, err
	}
	s.file = attack.Certificates{Pins: pins, Source: s.setup.Inputs(), MaxFailures: o.data.maxFailures}
	if s.file.Model, err = s.setup.ModelRecord(); err != nil {
		return nil, err
	}
	if s.indices = s.file.Certified(s.setup.Indices); len(s.indices) == 0 {
		return nil, usagef("audit %s %q: none of the %d chosen inputs is certified there; choose others with --skip and --max", name, path, len(s.setup.Indices))
	}
	if err = a.checkRows(ctx, s.setup, s.indices, o.search.Seed, pins.Seal); err != nil {
		return nil, err
	}
	return s, s.arm(ctx)
}

// plots lists the picture of an audit, if one is asked for.
func plots(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

// arm makes the attacker.
func (s *search) arm(ctx context.Context) error {
	smoother, err := s.setup.Smoother(s.search.Seed)
	if err != nil {
		return err
	}
	var slope attack.Slope
	gradient, err := attack.NewGradient(ctx, s.setup.Runtime, s.setup.Model, s.search.Draws, s.setup.Session)
	switch {
	case s.search.Restarts == 0:
		s.blind = "none were asked for (--restarts 0)"
	case errors.Is(err, attack.ErrNoGradient):
		s.blind = err.Error()
	case err != nil:
		return fmt.Errorf("audit %s: %w", s.name, err)
	default:
		slope = gradient
	}
	if err == nil {
		s.a.onClose(gradient.Close)
	}
	if s.blind != "" {
		s.a.warn("no gradients: %s; random search alone finds far less", s.blind)
		s.notes = append(s.notes, "no gradients: "+s.blind)
	}
	s.attacker, err = attack.New(smoother, slope, s.setup.Model.Dim(), s.search)
	return usage(err)
}

// run attacks all inputs; change may alter a claim first.
func (s *search) run(ctx context.Context, strict bool, change func(*attack.Case) error) (attack.Report, error) {
	s.a.note("%s on %d certified inputs of %s, seed %d", s.name, len(s.indices), s.setup.Info.Name, s.search.Seed)
	bar := progress.New(s.a.progressWriter(), s.a.progressOptions(len(s.indices), 0))
	defer bar.Close()
	r, err := s.file.Run(ctx, s.attacker, s.indices, strict, change, func() { bar.Add(1) }, func(reason error) {
		bar.Message("ucan: left out: %v", reason)
	})
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return r, fmt.Errorf("audit %s: %w", s.name, err)
	}
	return r, err
}

// auditHead is what the documents of all audits begin with.
type auditHead struct {
	Audit string `json:"audit"`
	Model string `json:"model"`
	Data  string `json:"data"`
	Seed  uint64 `json:"seed"`
}

// searchRecord is what such an audit prints as JSON.
type searchRecord struct {
	auditHead
	attack.Outcome
	Guarantees map[smooth.Guarantee]int `json:"guarantees"`
	Level      float64                  `json:"level"`
	Confidence float64                  `json:"confidence"`
	Samples    int64                    `json:"n"`
	Gradients  bool                     `json:"gradients"`
	Notes      []string                 `json:"notes"`
	Results    []attack.Attempt         `json:"results"`
}

// present prints and draws what was found.
func (s *search) present(r attack.Report, sentence string) error {
	if s.plot != "" && r.Worst != nil {
		w := r.Worst
		picture := attack.Picture{
			Title: fmt.Sprintf("audit %s: input %d of %s", s.name, w.Attempt.Index, s.setup.Info.Name),
			Note: fmt.Sprintf("the least margin of %d inputs; found by: %s; guarantee %s; seed %d",
				r.Inputs, w.Attempt.How, w.Certificate.Guarantee, s.search.Seed),
			Lines: []string{
				fmt.Sprintf("margin %.4f", w.Attempt.Margin), fmt.Sprintf("certified: class %d", w.Attempt.Class),
				fmt.Sprintf("%d votes, class %d: %d", w.Attempt.Votes, w.Attempt.Rival, w.Attempt.RivalVotes),
				fmt.Sprintf("%.3f of the way", w.Attempt.Share),
			},
			Shape: w.Item.Shape, X: w.Item.X, Y: w.Attempt.Y,
		}
		if err := report.Save(s.plot, picture.Write); err != nil {
			return err
		}
	}
	if s.a.json() {
		notes := append([]string{}, s.notes...)
		return writeJSON(s.a.stdout, searchRecord{
			auditHead: auditHead{s.name, s.setup.Model.Name(), s.setup.Info.Name, s.search.Seed}, Outcome: r.Outcome, Guarantees: r.Guarantees,
			Level: s.search.Level, Confidence: s.search.Confidence, Samples: s.search.N, Gradients: s.blind == "", Notes: notes, Results: r.Attempts,
		})
	}
	return s.print(r, sentence)
}

// guaranteeList says how many certificates have which guarantee.
func guaranteeList(counts map[smooth.Guarantee]int) string {
	var parts []string
	for _, g := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[g], g))
	}
	return strings.Join(parts, ", ")
}
