// Package worker executes the shards of zoo runs: it fetches and verifies the artifacts, puts the
// model on a session, certifies the shard's inputs through the same code as the command certify,
// and watches over time and memory. One process works on one shard at a time, so that a model that
// crashes or leaks takes only that process down.
package worker
