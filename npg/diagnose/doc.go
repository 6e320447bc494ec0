// Package diagnose finds out what is wrong with a noise parameter generator before a table of
// results hides it: noise that has collapsed to a ball, scales stuck at a bound, noise that the
// base classifier cannot see through, and offsets that carry the label.
//
// Every finding is a [Diagnosis] with the measured figure, the threshold it crossed and the setting
// to turn. A [Report] serialises to JSON and YAML; training writes it into the bundle.
//
// # Label leak
//
// A certification-wise generator sees the clean input x. If its μ(x) spells the label, the base
// classifier may read it from there instead of from the image, and any noise is "certified": the
// certificate is about μ. The audit swaps the image and keeps the noise parameters. For input x of
// class a and a donor image x₀ of another class, it counts how often the base classifier says a on
//
//	x₀ + μ(x) + λ·Σ(x)ε.
//
// Without a leak the answer depends on x₀ alone. With n_a of the n inputs in class a, C classes,
// and donors that are uniform over the other classes, whatever the classifier answers on donors of
// class b — say a with probability q_a, Σ_a q_a ≤ 1 — its accuracy is at most
//
//	1/(n(C−1)) · Σ_b Σ_{a≠b} n_a q_a(b) ≤ 1/(C−1) · Σ_b max_{a≠b} n_a/n,
//
// which is 1/(C−1) for balanced classes. That ceiling is reported as chance. With two classes a
// donor of the other class gives the label away, so donors come from both and the ceiling is max_a
// n_a/n.
//
// The base classifier at hand may be blind to a leak that one trained together with the generator
// reads. So a linear classifier is trained on such copies as well, and its accuracy on those of
// other inputs is held against the same ceiling ([Reading]).
package diagnose
