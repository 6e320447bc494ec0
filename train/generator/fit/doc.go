// Package fit learns a noise parameter generator for a classifier on a data set, from settings to a bundle: it makes the
// network, runs the training loop over the objective of package generator, looks for what is wrong with the result, and
// writes npg.yaml beside the graphs, the training log and the checkpoints.
//
// # Resuming
//
// Every choice that decides bits (seed, threads, how weights reach the runtime) is stored with the first checkpoint,
// before the first step. Run with Resume on a folder that is absent, torn or finished ends with the same bundle, byte
// for byte, as a run that was never interrupted.
package fit
