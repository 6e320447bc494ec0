//go:build race

package smooth_test

// raceEnabled tells tests of mathematics, which share nothing between
// goroutines, to leave the race detector to the tests of workers.
const raceEnabled = true
