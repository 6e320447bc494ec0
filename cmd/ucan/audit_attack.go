package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/attack"
	"ucan/internal/certify"
	"ucan/internal/table"
)

// shownAttempts is how many inputs the table of a search has, the worst ones; JSON has all.
const shownAttempts = 10

// attackOptions are those of audit attack.
type attackOptions struct{ searchOptions }

func (o *attackOptions) check(f *faults) {
	o.searchOptions.check(f)
	o.checkCertificates(f)
}

func newAuditAttackCommand(a *app) *cobra.Command {
	o := &attackOptions{}
	cmd := &cobra.Command{
		Use:   "attack",
		Short: "Look inside certified regions for a point where the smoothed classifier answers otherwise",
		Long: `Attack searches the region of every chosen certificate for a point x + δ at which the smoothed classifier, under the noise
that the certificate stores, prefers another class. It climbs gradients averaged over noise (of any ONNX classifier that can be
differentiated) in the region's own norm and basis, and tries random directions and the longest axes. Points are float32 inputs
that are inside by exact arithmetic.

A point counts as a flip when fresh samples show it beyond chance: the tests of all inputs together are wrong with probability
at most level/2. Certificates at α are false with probability up to α, so a few flips among many are no violation; more than
α explains (at level/2) are: exit 4. Each certificate is checked first, as "ucan verify" does; a false one ends the audit.

For pinned certificates the stored noise is what they speak of. What a service does that recomputes it is for "audit drift".`,
		Example: `  ucan audit attack --model model.onnx --data mnist:mnist --certificates run.jsonl --max 200 --plot worst.png
  ucan audit attack --model model.onnx --data cifar10:test_batch.bin --certificates run.jsonl --steps 100 --n 100000 --format json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAuditAttack(cmd.Context(), a, &o.searchOptions) },
	}
	a.bind(cmd, o)
	return cmd
}

func runAuditAttack(ctx context.Context, a *app, o *searchOptions) error {
	s, err := a.openSearch(ctx, o, "attack")
	if err != nil {
		return err
	}
	r, err := s.run(ctx, false, nil)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	if printErr := s.present(r, "answered with another class inside their certified regions"); printErr != nil {
		return printErr
	}
	if r.Violated {
		return checkf("audit attack %q: %d of %d certified inputs flip inside their regions, more than alpha explains (p = %.2g); the certificates are not what they claim",
			o.certificates, r.Flips, r.Inputs, r.PValue)
	}
	return err
}

// print writes the worst inputs and the figures.
func (s *search) print(r attack.Report, sentence string) error {
	worst := slices.Clone(r.Attempts)
	slices.SortStableFunc(worst, func(x, y attack.Attempt) int { return cmp.Compare(x.Margin, y.Margin) })
	t := table.New(">idx", ">certified", ">rival", ">votes", ">of rival", ">of n", ">margin", "flipped", ">share of the way to the boundary", "found by")
	for _, w := range worst[:min(shownAttempts, len(worst))] {
		flipped := "no"
		if w.Flipped {
			flipped = "YES"
		}
		t.Row(w.Index, w.Class, w.Rival, w.Votes, w.RivalVotes, w.N, fmt.Sprintf("%.4f", w.Margin), flipped, fmt.Sprintf("%.4f", w.Share), w.How)
	}
	out := s.a.stdout
	if _, err := t.WriteTo(out); err != nil {
		return err
	}
	if n := len(worst) - shownAttempts; n > 0 {
		fmt.Fprintf(out, "(the %d worst; %d more have larger margins)\n", shownAttempts, n)
	}
	fmt.Fprintf(out, "\nguarantee  %s\n", guaranteeList(r.Guarantees))
	fmt.Fprintf(out, "inputs     %d certified, seed %d\n", r.Inputs, s.search.Seed)
	fmt.Fprintf(out, "flips      %d %s: %.4f, %g %% interval %.4f to %.4f\n", r.Flips, sentence, r.Rate, 100*s.search.Confidence, r.Interval[0], r.Interval[1])
	fmt.Fprintf(out, "margin     at least %.4f (input %d)\n", r.Least, r.LeastIndex)
	verdict := "no violation"
	if r.Violated {
		verdict = "VIOLATED"
	}
	_, err := fmt.Fprintf(out, "verdict    %s (chance of as many false certificates at their alpha: %.2g)\n", verdict, r.PValue)
	return err
}
