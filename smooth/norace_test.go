//go:build !race

package smooth_test

const raceEnabled = false
