//go:build race

package runtime_test

// raceEnabled tells tests that weigh the process that the race detector's own
// memory is part of it.
const raceEnabled = true
