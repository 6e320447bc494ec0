// Package stats holds the statistics that certificates rest on: binomial
// tails, Clopper–Pearson bounds, the normal distribution and its inverse, the
// exact test of PREDICT, and the comparisons that verification needs.
//
// Two habits separate it from a general statistics library.
//
//   - Tails are computed as tails, never as one minus the other side, so that
//     they keep their relative accuracy down to 1e-300.
//   - A bound is rounded outward. A lower bound is never above the exact
//     value and an upper bound never below it; the slack is a few units in the
//     last place and stays below 1e-12 relative.
//
// Everything is a pure function of its arguments and safe for concurrent use.
package stats
