// Package queue hands the shards of zoo runs to worker processes, on River
// (github.com/riverqueue/river), in the same database as the results. Every shard is done exactly
// once, whatever dies, stops or is cut off:
//
//   - a shard's results and its completion commit in one transaction, which demands that the job
//     still runs, in this attempt and by this process (the fence);
//   - a process whose job was given to another one must not answer at all, since River's own state
//     changes check neither attempt nor owner: it exits;
//   - every process holds a lock for as long as it lives, and every process, at its start and every
//     two seconds, frees the jobs of those whose lock is gone (the reaper), in place of River's
//     rescuer, which waits an hour;
//   - a shard has one row in the queue for good, and the tables' keys refuse a second result.
//
// Correctness rests on the fence alone; locks and reaper decide only how soon a shard runs again.
//
// The package reads and writes columns of River's table river_job, which TestRiverJobColumns pins.
package queue
