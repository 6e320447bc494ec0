package queue

// statements are those of ours that touch river_job. Placeholders are ?; the two databases differ in JSON, arrays and
// clocks.
type statements struct {
	// complete marks a job as done, if it still runs as (attempt, owner): id, attempt, owner.
	complete string
	// fail ends an attempt: final state's attempt limit is the job's own. error JSON, delay in seconds; id, attempt, owner.
	fail string
	// held counts the job if it still runs as (attempt, owner): id, attempt, owner.
	held string
	// running lists jobs that run: id, attempt, owner, run, shard, seconds since its start, limit.
	running string
	// free takes a running job from its owner: error JSON; id, attempt, owner.
	free string
	// release gives back what a process that ends in order still owns, without counting the attempt: owner.
	release string
	// cancel cancels a run's waiting jobs: run.
	cancel string
	// runningOf lists the IDs of a run's running jobs: run.
	runningOf string
	// retry sets a run's cancelled and discarded jobs going again: run.
	retry string
	// audit sets a run's completed jobs without a stored result going again: run.
	audit string
	// unfinished counts, by state, a run's jobs that are neither available nor completed: run.
	unfinished string
	// available reports whether a run has an available job: run.
	available string
	// open counts a queue's jobs that wait or run: queue.
	open string
}

const ours = "kind = '" + kind + "'"

func sqliteStatements() statements {
	return statements{
		complete: `UPDATE river_job SET state = 'completed', finalized_at = datetime('now', 'subsec')
		WHERE id = ? AND state = 'running' AND attempt = ? AND json_extract(attempted_by, '$[#-1]') = ?`,
		fail: `UPDATE river_job SET
			errors = jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]', json(?))),
			state = CASE WHEN attempt >= max_attempts THEN 'discarded' WHEN metadata -> 'cancel_attempted_at' IS NOT NULL THEN 'cancelled' ELSE 'available' END,
			finalized_at = CASE WHEN attempt >= max_attempts OR metadata -> 'cancel_attempted_at' IS NOT NULL THEN datetime('now', 'subsec') END,
			scheduled_at = datetime('now', 'subsec', ? || ' seconds')
		WHERE id = ? AND state = 'running' AND attempt = ? AND json_extract(attempted_by, '$[#-1]') = ?`,
		held: `SELECT count(*) FROM river_job WHERE id = ? AND state = 'running' AND attempt = ? AND json_extract(attempted_by, '$[#-1]') = ?`,
		running: `SELECT id, attempt, json_extract(attempted_by, '$[#-1]'), json_extract(args, '$.run'), json_extract(args, '$.shard'),
			86400 * (julianday('now', 'subsec') - julianday(attempted_at)), json_extract(args, '$.limit')
		FROM river_job WHERE state = 'running' AND ` + ours,
		free: `UPDATE river_job SET
			errors = jsonb(json_insert(json(coalesce(errors, jsonb('[]'))), '$[#]', json(?))),
			state = CASE WHEN metadata -> 'cancel_attempted_at' IS NOT NULL THEN 'cancelled' WHEN attempt >= max_attempts THEN 'discarded' ELSE 'available' END,
			finalized_at = CASE WHEN attempt >= max_attempts OR metadata -> 'cancel_attempted_at' IS NOT NULL THEN datetime('now', 'subsec') END
		WHERE id = ? AND state = 'running' AND attempt = ? AND json_extract(attempted_by, '$[#-1]') = ?`,
		release: `UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0)
		WHERE state = 'running' AND ` + ours + ` AND json_extract(attempted_by, '$[#-1]') = ?`,
		cancel: `UPDATE river_job SET state = 'cancelled', finalized_at = datetime('now', 'subsec')
		WHERE ` + ours + ` AND state IN ('available', 'retryable', 'scheduled', 'pending') AND json_extract(args, '$.run') = ?`,
		runningOf: `SELECT id FROM river_job WHERE state = 'running' AND ` + ours + ` AND json_extract(args, '$.run') = ?`,
		retry: `UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL, metadata = jsonb_remove(metadata, '$.cancel_attempted_at'), scheduled_at = datetime('now', 'subsec')
		WHERE ` + ours + ` AND state IN ('cancelled', 'discarded') AND json_extract(args, '$.run') = ?`,
		audit: `UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL, scheduled_at = datetime('now', 'subsec')
		WHERE ` + ours + ` AND state = 'completed' AND json_extract(args, '$.run') = ?
		AND NOT EXISTS (SELECT 1 FROM zoo_shard z WHERE z.run = json_extract(args, '$.run') AND z.shard = json_extract(args, '$.shard'))`,
		unfinished: `SELECT state, count(*) FROM river_job WHERE state IN ('running', 'retryable', 'scheduled', 'pending', 'cancelled', 'discarded')
		AND ` + ours + ` AND json_extract(args, '$.run') = ? GROUP BY state`,
		available: `SELECT count(*) FROM (SELECT 1 FROM river_job WHERE state = 'available' AND ` + ours + ` AND json_extract(args, '$.run') = ? LIMIT 1) AS one`,
		open:      `SELECT count(*) FROM (SELECT 1 FROM river_job WHERE queue = ? AND state IN ('available', 'running', 'retryable', 'scheduled') AND ` + ours + ` LIMIT 1) AS one`,
	}
}

const postgresOwner = "attempted_by[array_upper(attempted_by, 1)]"

func postgresStatements() statements {
	return statements{
		complete: `UPDATE river_job SET state = 'completed', finalized_at = now()
		WHERE id = ? AND state = 'running' AND attempt = ? AND ` + postgresOwner + ` = ?`,
		fail: `UPDATE river_job SET
			errors = array_append(errors, ?::jsonb),
			state = CASE WHEN attempt >= max_attempts THEN 'discarded' WHEN metadata ->> 'cancel_attempted_at' IS NOT NULL THEN 'cancelled' ELSE 'available' END::river_job_state,
			finalized_at = CASE WHEN attempt >= max_attempts OR metadata ->> 'cancel_attempted_at' IS NOT NULL THEN now() END,
			scheduled_at = now() + make_interval(secs => ?::text::double precision)
		WHERE id = ? AND state = 'running' AND attempt = ? AND ` + postgresOwner + ` = ?`,
		held: `SELECT count(*) FROM river_job WHERE id = ? AND state = 'running' AND attempt = ? AND ` + postgresOwner + ` = ?`,
		running: `SELECT id, attempt, ` + postgresOwner + `, (args ->> 'run')::bigint, (args ->> 'shard')::bigint,
			extract(epoch FROM now() - attempted_at)::double precision, (args ->> 'limit')::double precision
		FROM river_job WHERE state = 'running' AND ` + ours,
		free: `UPDATE river_job SET
			errors = array_append(errors, ?::jsonb),
			state = CASE WHEN metadata ->> 'cancel_attempted_at' IS NOT NULL THEN 'cancelled' WHEN attempt >= max_attempts THEN 'discarded' ELSE 'available' END::river_job_state,
			finalized_at = CASE WHEN attempt >= max_attempts OR metadata ->> 'cancel_attempted_at' IS NOT NULL THEN now() END
		WHERE id = ? AND state = 'running' AND attempt = ? AND ` + postgresOwner + ` = ?`,
		release: `UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND ` + ours + ` AND ` + postgresOwner + ` = ?`,
		cancel: `UPDATE river_job SET state = 'cancelled', finalized_at = now()
		WHERE ` + ours + ` AND state IN ('available', 'retryable', 'scheduled', 'pending') AND (args ->> 'run')::bigint = ?`,
		runningOf: `SELECT id FROM river_job WHERE state = 'running' AND ` + ours + ` AND (args ->> 'run')::bigint = ?`,
		retry: `UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL, metadata = metadata - 'cancel_attempted_at', scheduled_at = now()
		WHERE ` + ours + ` AND state IN ('cancelled', 'discarded') AND (args ->> 'run')::bigint = ?`,
		audit: `UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL, scheduled_at = now()
		WHERE ` + ours + ` AND state = 'completed' AND (args ->> 'run')::bigint = ?
		AND NOT EXISTS (SELECT 1 FROM zoo_shard z WHERE z.run = (args ->> 'run')::bigint AND z.shard = (args ->> 'shard')::bigint)`,
		unfinished: `SELECT state::text, count(*) FROM river_job WHERE state IN ('running', 'retryable', 'scheduled', 'pending', 'cancelled', 'discarded')
		AND ` + ours + ` AND (args ->> 'run')::bigint = ? GROUP BY state`,
		available: `SELECT count(*) FROM (SELECT 1 FROM river_job WHERE state = 'available' AND ` + ours + ` AND (args ->> 'run')::bigint = ? LIMIT 1) AS one`,
		open:      `SELECT count(*) FROM (SELECT 1 FROM river_job WHERE queue = ? AND state IN ('available', 'running', 'retryable', 'scheduled') AND ` + ours + ` LIMIT 1) AS one`,
	}
}
