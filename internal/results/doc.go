// Package results writes and reads what a run of certification yields: a table
// with one row an input (TSV, Cohen's columns first), certificates with one JSON
// object a line (JSONL), and beside each a record of the run (run.json).
//
// A [Writer] takes rows in any order, from any goroutine, and appends them in
// the order of the selection, each synced to disk before the next. Killed at any
// moment it leaves whole rows and at most one torn line, which a resumed run
// drops. A resumed run first compares the stored configuration and hashes with
// its own and names what differs. Two processes cannot write one output.
//
// Radii and bounds are written with six decimals truncated toward zero, so that
// no file claims more than was certified.
package results
