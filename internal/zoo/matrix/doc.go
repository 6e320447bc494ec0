// Package matrix is the zoo's matrix: models × datasets × noise settings. It reads and validates
// zoo.yaml as a whole, resolves it into a [Run] (content hashes, statistics and sessions settled,
// what cannot run set apart with the reason) and streams the run's shards.
package matrix
