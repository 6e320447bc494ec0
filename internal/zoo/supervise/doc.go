// Package supervise keeps a number of worker processes at work until a zoo run is done: it starts
// them, replaces those that die, with growing pauses, keeps the end of their logs with what they
// failed at, and frees their shards at once.
package supervise
