package queue

import "strings"

// Our statements that touch river_job. Placeholders are ?; [Queue.sql] writes the words in braces.
const (
	// sqlComplete marks a job as done, if it still runs as (attempt, owner): id, attempt, owner.
	sqlComplete = "UPDATE river_job SET state = 'completed', finalized_at = {now} WHERE " + held
	// sqlFail ends an attempt: error JSON, delay in seconds; id, attempt, owner.
	sqlFail = "UPDATE river_job SET errors = {errors}, " +
		"state = CASE WHEN " + last + " THEN 'discarded' WHEN " + cancelled + " THEN 'cancelled' ELSE 'available' END{state}, " +
		final + ", scheduled_at = {later} WHERE " + held
	// sqlHeld counts the job if it still runs as (attempt, owner): id, attempt, owner.
	sqlHeld = "SELECT count(*) FROM river_job WHERE " + held
	// sqlRunning lists jobs that run: id, attempt, owner, run, shard, seconds since its start,
	// limit.
	sqlRunning = "SELECT id, attempt, {owner}, {run}, {shard}, {age}, {limit} FROM river_job WHERE state = 'running' AND " + ours
	// sqlFree takes a running job from its owner: error JSON; id, attempt, owner.
	sqlFree = "UPDATE river_job SET errors = {errors}, " +
		"state = CASE WHEN " + cancelled + " THEN 'cancelled' WHEN " + last + " THEN 'discarded' ELSE 'available' END{state}, " +
		final + " WHERE " + held
	// sqlRelease gives back what a process that ends in order still owns, without counting the
	// attempt: owner.
	sqlRelease = "UPDATE river_job SET state = 'available', attempt = {greatest}(attempt - 1, 0) WHERE state = 'running' AND " + ours + " AND {owner} = ?"
	// sqlCancel cancels a run's waiting jobs: run.
	sqlCancel = "UPDATE river_job SET state = 'cancelled', finalized_at = {now} " +
		"WHERE " + ours + " AND state IN ('available', 'retryable', 'scheduled', 'pending') AND {run} = ?"
	// sqlRunningOf lists the IDs of a run's running jobs: run.
	sqlRunningOf = "SELECT id FROM river_job WHERE state = 'running' AND " + ours + " AND {run} = ?"
	// sqlRetry sets a run's cancelled and discarded jobs going again: run.
	sqlRetry = again + "metadata = {uncancelled}, scheduled_at = {now} WHERE " + ours + " AND state IN ('cancelled', 'discarded') AND {run} = ?"
	// sqlAudit sets a run's completed jobs without a stored result going again: run.
	sqlAudit = again + "scheduled_at = {now} WHERE " + ours + " AND state = 'completed' AND {run} = ? " +
		"AND NOT EXISTS (SELECT 1 FROM zoo_shard z WHERE z.run = {run} AND z.shard = {shard})"
	// sqlUnfinished counts, by state, a run's jobs that are neither available nor completed: run.
	sqlUnfinished = "SELECT state{text}, count(*) FROM river_job " +
		"WHERE state IN ('running', 'retryable', 'scheduled', 'pending', 'cancelled', 'discarded') AND " + ours + " AND {run} = ? GROUP BY state"
	// sqlAvailable reports whether a run has an available job: run.
	sqlAvailable = "SELECT count(*) FROM (SELECT 1 FROM river_job WHERE state = 'available' AND " + ours + " AND {run} = ? LIMIT 1) AS one"
	// sqlOpen counts a queue's jobs that wait or run: queue.
	sqlOpen = "SELECT count(*) FROM (SELECT 1 FROM river_job WHERE queue = ? " +
		"AND state IN ('available', 'running', 'retryable', 'scheduled') AND " + ours + " LIMIT 1) AS one"

	ours      = "kind = '" + kind + "'"
	held      = "id = ? AND state = 'running' AND attempt = ? AND {owner} = ?"
	cancelled = "metadata ->> 'cancel_attempted_at' IS NOT NULL"
	last      = "attempt >= max_attempts"
	final     = "finalized_at = CASE WHEN " + last + " OR " + cancelled + " THEN {now} END"
	again     = "UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL, "
)

// sqlite and postgres write the words in braces: the two databases differ in JSON, arrays and
// clocks.
func sqlite() *strings.Replacer {
	return strings.NewReplacer(
		"{now}", "datetime('now', 'subsec')",
		"{later}", "datetime('now', 'subsec', ? || ' seconds')",
		"{age}", "86400 * (julianday('now', 'subsec') - julianday(attempted_at))",
		"{owner}", "json_extract(attempted_by, '$[#-1]')",
		"{run}", "json_extract(args, '$.run')",
		"{shard}", "json_extract(args, '$.shard')",
		"{limit}", "json_extract(args, '$.limit')",
		"{errors}", "jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]', json(?)))",
		"{uncancelled}", "jsonb_remove(metadata, '$.cancel_attempted_at')",
		"{state}", "",
		"{text}", "",
		"{greatest}", "max",
	)
}

func postgres() *strings.Replacer {
	return strings.NewReplacer(
		"{now}", "now()",
		"{later}", "now() + make_interval(secs => ?::text::double precision)",
		"{age}", "extract(epoch FROM now() - attempted_at)::double precision",
		"{owner}", "attempted_by[array_upper(attempted_by, 1)]",
		"{run}", "(args ->> 'run')::bigint",
		"{shard}", "(args ->> 'shard')::bigint",
		"{limit}", "(args ->> 'limit')::double precision",
		"{errors}", "array_append(errors, ?::jsonb)",
		"{uncancelled}", "metadata - 'cancel_attempted_at'",
		"{state}", "::river_job_state",
		"{text}", "::text",
		"{greatest}", "greatest",
	)
}

// sql is a statement as the queue's database takes it.
func (q *Queue) sql(text string) string { return q.store.Bind(q.dialect.Replace(text)) }
