// Package report turns rows of results into figures: a summary of a run, the
// certified-accuracy curve with its confidence band, and plots of it.
//
// Every input counts in every denominator: wrong, abstained and failed inputs
// count 0 in accuracies and in the average certified radius (ACR). Rows under
// different guarantees, or with radii in different norms, are never averaged in
// one figure; [Split] separates them.
//
// Intervals account for the sampling of inputs only: they tell how far the figure may lie
// from that of the distribution the inputs came from. That each certificate may
// fail with probability α is not part of them.
package report
