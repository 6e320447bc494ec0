// Package fit trains, from settings to a bundle: base classifiers under noise ([Base]), generators
// of noise parameters ([Generator]) and noise fields input by input ([PerInput]). Each takes a
// typed configuration and leaves a folder with a record, a log, checkpoints and what was learned.
//
// # Resuming
//
// Every choice that decides bits (seed, threads, how weights reach the runtime) is stored before
// the first step. A run with Resume on a folder that is absent, torn or finished ends with the same
// bundle, byte for byte, as a run that was never interrupted. The folder is locked while a training
// writes to it.
package fit
