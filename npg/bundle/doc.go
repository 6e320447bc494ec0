// Package bundle reads and writes noise parameter generators as folders: what "ucan train npg"
// leaves behind and what --npg takes.
//
// A bundle holds npg.yaml, which names every other file by role and SHA-256, beside the graphs
// (.onnx) and constant fields (.npy) that it names. Files of a training run that npg.yaml does not
// name (train.jsonl, checkpoint/) are left alone. Neither paths nor times are stored, so equal
// generators have equal bytes.
//
// How the parameters of an input x follow, s being brought within floor and ceiling:
//
//	pattern, dataset   μ and s are the fields mu_field and sigma_field, whatever x is       (deployed)
//	certification      μ = mu_scale · mu(x) (0 with fixed_mean), s = |sigma(x + μ)|        (pinned)
//	                   or one graph with outputs mu and sigma: μ = mu_scale · mu(x), s = |sigma(x)|
//	per-input          μ and s are those stored for x, found by its hash                   (pinned)
//
// A scale field lives in the coordinates of "basis" when one is named, μ always in those of the
// input.
package bundle
