package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/radii"
	"ucan/internal/table"
	"ucan/runtime/files"
)

// radiusOptions are those of radius: one question, or a file of them, or none.
type radiusOptions struct {
	noise    familyOptions
	question radii.Question
	pLower   *float64 // nil where not given
	rows     string
	list     bool
}

func (r *radiusOptions) declare(o *options) {
	r.noise.declare(o)
	q := &r.question
	o.count(&q.Dim, "radius.dim", "dim", 0, 0, math.MaxInt32, "number of input coordinates")
	o.in(statisticsSection)
	o.maybeFloat(&r.pLower, "radius.p_lower", "p-lower", "lower bound on the top class's probability")
	o.maybeFloat(&q.PUpper, "radius.p_upper", "p-upper", "upper bound on every other class's probability")
	o.text(&q.Method, "radius.method", "method", "", "level-set or differential, where a family has both (default: the larger radius)").offers(func() []string { return []string{"level-set", "differential"} })
	o.in(otherSection)
	o.text(&r.rows, "radius.rows", "rows", "", "answer a table of questions: a file of JSON lines, or - for standard input")
	o.on(&r.list, "radius.list", "list", "list the families with their parameters, defaults and norms")
}

func (r *radiusOptions) check(f *faults) {
	if r.list || r.rows != "" {
		return
	}
	r.noise.check(f)
	q := &r.question
	q.Family, q.Norm, q.Sigma, q.Lambda, q.Params = r.noise.name, r.noise.norm, r.noise.sigma, r.noise.lambda, r.noise.parameters(f)
	if q.Dim == 0 {
		f.add(&q.Dim, "no dimension given; give the number of input coordinates, such as 784")
	}
	if r.pLower == nil {
		f.add(&r.pLower, "no bound given; give the lower bound on the top class's probability")
		return
	}
	q.PLower = *r.pLower
}

func newRadiusCommand(a *app) *cobra.Command {
	o := &radiusOptions{}
	cmd := &cobra.Command{
		Use:   "radius",
		Short: "Calculate the radius that a bound on p_A certifies",
		Long: `Radius is the calculator behind the certificates: the certified radius of a noise family at a scale, in a norm and
dimension, for a lower bound on the top class's probability (and, where the family has a formula, an upper bound on every
other class's). --rows reads a table of such questions as JSON lines; --list shows the families.`,
		Example: `  ucan radius --noise gaussian --norm l2 --sigma 0.5 --dim 3072 --p-lower 0.99
  ucan radius --noise laplace --norm linf --lambda 1 --dim 784 --p-lower 0.999
  ucan radius --list`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRadius(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runRadius(ctx context.Context, a *app, o *radiusOptions) error {
	switch {
	case o.list:
		return listFamilies(a)
	case o.rows != "":
		return radiusRows(ctx, a, o.rows)
	}
	radius, err := o.question.Radius()
	if err != nil {
		return usagef("radius: %w", err)
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]any{"radius": radii.Number(radius)})
	}
	_, err = fmt.Fprintf(a.stdout, "%v\n", radius)
	return err
}

// radiusRows answers a table of questions.
func radiusRows(ctx context.Context, a *app, path string) (err error) {
	input := io.Reader(os.Stdin)
	if path != "-" {
		file, openErr := files.Open(path)
		if openErr != nil {
			return fmt.Errorf("read rows: %w; name a file of JSON lines, or - for standard input", openErr)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		input = file
	}
	if err := radii.Answer(ctx, input, a.stdout); err != nil {
		return fmt.Errorf("read rows %q: %w", path, err)
	}
	return nil
}

func listFamilies(a *app) error {
	families, err := radii.Families()
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, families)
	}
	t := table.New("family", "parameters and defaults", "norms with a theorem", "default norm")
	for _, f := range families {
		var defaults []string
		for name, value := range f.Defaults {
			defaults = append(defaults, fmt.Sprintf("%s=%v", name, value))
		}
		t.Row(f.Name, strings.Join(slices.Sorted(slices.Values(defaults)), ", "), strings.Join(f.Norms, ", "), f.Default)
	}
	_, err = t.WriteTo(a.stdout)
	return err
}
