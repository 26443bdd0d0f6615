"""The schema step that brings in Procrastinate's tables and functions, and what the queue needs beside them.

They live in the schema ``execsvc`` with the rest, and each of Procrastinate's functions is told so: it names its tables
bare, and a search path of the session would not outlive a proxy that pools transactions.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

#: Advisory locks, beside those of ``migrations``: whoever fetches, and whoever rescues.
FETCH_LOCK, RESCUE_LOCK = (0x65786563_00000000 + number for number in (5, 6))
#: Procrastinate's name of our one queue, its channel, and our one task.
QUEUE: Final = "execsvc"
WORK_CHANNEL: Final = f"procrastinate_queue_v1#{QUEUE}"
TASK: Final = "execution"
#: Where servers tell each other which executions they have changed.
CHANGE_CHANNEL: Final = "execsvc_changes"

_LOCATED: Final = """
DO $do$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc AS p
        WHERE p.pronamespace = 'execsvc'::regnamespace AND p.proname LIKE 'procrastinate%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = execsvc, pg_catalog', f.name);
    END LOOP;
END
$do$;
"""

_OURS: Final = f"""
-- The last batch that each writer has committed. After a crash Postgres may give a transaction's number once more, so
-- that the number alone does not tell whose transaction was committed.
CREATE TABLE execsvc.writers (
    writer text COLLATE "C" PRIMARY KEY,
    batch bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The job of an execution has its uid as queueing lock.
CREATE INDEX jobs_execution ON execsvc.procrastinate_jobs (queueing_lock);
CREATE INDEX jobs_line ON execsvc.procrastinate_jobs (priority DESC, ((args ->> 'created')::bigint), id)
    WHERE status = 'todo';
CREATE INDEX jobs_keys ON execsvc.procrastinate_jobs ((args ->> 'key')) WHERE status = 'doing';
CREATE INDEX jobs_nobodys ON execsvc.procrastinate_jobs (id) WHERE status = 'doing' AND worker_id IS NULL;
ALTER TABLE execsvc.procrastinate_jobs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE execsvc.procrastinate_events SET (autovacuum_vacuum_scale_factor = 0.02);

CREATE FUNCTION execsvc.job_args(e execsvc.executions) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'namespace', e.namespace, 'execution_id', e.execution_id, 'key', e.concurrency_key, 'created', e.create_time,
        'since', (extract(epoch FROM now()) * 1000000)::bigint)
$$;

-- Lets executions wait that have no job.
CREATE FUNCTION execsvc.defer_jobs(p_pks bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    jobs execsvc.procrastinate_job_to_defer_v1[];
BEGIN
    SELECT array_agg(
        ROW('{QUEUE}', '{TASK}', e.priority, NULL, e.uid, execsvc.job_args(e), NULL)
            ::execsvc.procrastinate_job_to_defer_v1 ORDER BY e.create_time, e.pk)
    INTO jobs
    FROM (
        SELECT DISTINCT ON (uid) * FROM execsvc.executions
        WHERE pk = ANY(p_pks)
          AND NOT EXISTS (SELECT FROM execsvc.procrastinate_jobs AS j WHERE j.queueing_lock = uid)
    ) AS e;
    IF jobs IS NULL THEN
        RETURN 0;
    END IF;
    RETURN cardinality(execsvc.procrastinate_defer_jobs_v1(jobs));
END
$$;

-- Takes what waits: one server at a time, so that the count of each key holds. Procrastinate's own fetch takes one job
-- a call, and knows locks that one job holds at a time.
CREATE FUNCTION execsvc.fetch_jobs(p_worker bigint, p_most integer, p_default integer, p_limits jsonb)
RETURNS TABLE (args jsonb, priority integer, uid text) LANGUAGE plpgsql AS $$
DECLARE
    job record;
    counts jsonb;
    full_keys text[];
    most integer;
    running integer;
BEGIN
    PERFORM pg_advisory_xact_lock({FETCH_LOCK});
    -- A server that was given up takes nothing until it has joined anew.
    PERFORM FROM execsvc.procrastinate_workers AS w WHERE w.id = p_worker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(jsonb_object_agg(k.key, k.running), '{{}}'),
           coalesce(array_agg(k.key) FILTER (
               WHERE k.running >= coalesce((p_limits ->> k.key)::integer, p_default)), '{{}}')
    INTO counts, full_keys
    FROM (
        SELECT j.args ->> 'key' AS key, count(*) AS running FROM execsvc.procrastinate_jobs AS j
        WHERE j.status = 'doing' AND j.args ->> 'key' <> '' GROUP BY 1
    ) AS k;
    FOR job IN
        SELECT j.id, j.args, j.priority, j.queueing_lock AS uid, j.args ->> 'key' AS key
        FROM execsvc.procrastinate_jobs AS j
        WHERE j.status = 'todo' AND NOT j.args ->> 'key' = ANY(full_keys)
        ORDER BY j.priority DESC, (j.args ->> 'created')::bigint, j.id
        FOR UPDATE SKIP LOCKED
    LOOP
        IF job.key <> '' THEN
            most := coalesce((p_limits ->> job.key)::integer, p_default);
            running := coalesce((counts ->> job.key)::integer, 0);
            CONTINUE WHEN running >= most;
            counts := counts || jsonb_build_object(job.key, running + 1);
        END IF;
        UPDATE execsvc.procrastinate_jobs AS j SET status = 'doing', worker_id = p_worker WHERE j.id = job.id;
        args := job.args;
        priority := job.priority;
        uid := job.uid;
        RETURN NEXT;
        p_most := p_most - 1;
        EXIT WHEN p_most <= 0;
    END LOOP;
END
$$;

-- Where an execution stands among those that wait for a slot, or else for their key.
CREATE FUNCTION execsvc.place_of_job(p_uid text, p_default integer, p_limits jsonb)
RETURNS TABLE (place bigint, length bigint, of_key text) LANGUAGE sql STABLE AS $$
    WITH line AS (
        SELECT j.queueing_lock AS uid, j.args ->> 'key' AS key, j.priority, j.id,
               (j.args ->> 'created')::bigint AS created,
               row_number() OVER (
                   PARTITION BY j.args ->> 'key' ORDER BY j.priority DESC, (j.args ->> 'created')::bigint, j.id) AS nth,
               count(*) OVER (PARTITION BY j.args ->> 'key') AS of_its_key
        FROM execsvc.procrastinate_jobs AS j WHERE j.status = 'todo'
    ), running AS (
        SELECT j.args ->> 'key' AS key, count(*) AS running FROM execsvc.procrastinate_jobs AS j
        WHERE j.status = 'doing' AND j.args ->> 'key' <> '' GROUP BY 1
    ), told AS (
        SELECT line.*, line.key <> '' AND line.nth > coalesce((p_limits ->> line.key)::integer, p_default)
               - coalesce((SELECT r.running FROM running AS r WHERE r.key = line.key), 0) IS TRUE AS held_back
        FROM line
    ), placed AS (
        SELECT told.*, row_number() OVER (PARTITION BY held_back ORDER BY priority DESC, created, id) AS slot_place,
               count(*) OVER (PARTITION BY held_back) AS slot_length
        FROM told
    )
    SELECT CASE WHEN held_back THEN nth ELSE slot_place END, CASE WHEN held_back THEN of_its_key ELSE slot_length END,
           CASE WHEN held_back THEN key END
    FROM placed WHERE uid = p_uid
$$;

-- Lets go of jobs, whose rows the caller has locked: what has not ended nor is paused waits again, and is told of,
-- which Procrastinate does for new jobs alone.
CREATE FUNCTION execsvc.put_back_jobs(p_jobs bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    waiting integer;
BEGIN
    UPDATE execsvc.procrastinate_jobs AS j
    SET status = 'todo', worker_id = NULL, abort_requested = false, attempts = j.attempts + 1
    WHERE j.id = ANY(p_jobs) AND j.status = 'doing'
      AND EXISTS (
          SELECT FROM execsvc.executions AS e
          WHERE e.namespace = j.args ->> 'namespace' AND e.execution_id = j.args ->> 'execution_id'
            AND e.uid = j.queueing_lock AND e.state IN ('PENDING', 'RUNNING'))
      AND NOT EXISTS (
          SELECT FROM execsvc.procrastinate_jobs AS o WHERE o.queueing_lock = j.queueing_lock AND o.status = 'todo');
    GET DIAGNOSTICS waiting = ROW_COUNT;
    DELETE FROM execsvc.procrastinate_jobs AS j WHERE j.id = ANY(p_jobs) AND j.status = 'doing';
    IF waiting > 0 THEN
        PERFORM pg_notify('{WORK_CHANNEL}', '{{"type": "job_inserted"}}');
    END IF;
    RETURN waiting;
END
$$;

-- The rows are locked first: a resume that goes on with a job that is about to be let go of either sees it gone, or is
-- seen here.
CREATE FUNCTION execsvc.give_back_jobs(p_worker bigint, p_uids text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    jobs bigint[];
BEGIN
    SELECT array_agg(id) INTO jobs FROM (
        SELECT id FROM execsvc.procrastinate_jobs
        WHERE queueing_lock = ANY(p_uids) AND status = 'doing' AND worker_id = p_worker ORDER BY id FOR UPDATE
    ) AS locked;
    RETURN execsvc.put_back_jobs(jobs);
END
$$;

-- Takes from servers that have given no sign of life what they held. One server at a time does.
CREATE FUNCTION execsvc.rescue_jobs(p_seconds double precision, p_orphans boolean)
RETURNS TABLE (gone integer, waiting integer) LANGUAGE plpgsql AS $$
DECLARE
    jobs bigint[];
BEGIN
    gone := 0;
    waiting := 0;
    IF pg_try_advisory_xact_lock({RESCUE_LOCK}) THEN
        SELECT count(*) INTO gone FROM execsvc.procrastinate_prune_stalled_workers_v1(p_seconds);
        SELECT array_agg(id) INTO jobs FROM (
            SELECT id FROM execsvc.procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL
            ORDER BY id FOR UPDATE SKIP LOCKED
        ) AS locked;
        waiting := execsvc.put_back_jobs(jobs);
        IF p_orphans THEN
            DELETE FROM execsvc.writers AS w WHERE w.at < now() - interval '1 day';
            waiting := waiting + execsvc.defer_jobs((
                SELECT array_agg(e.pk) FROM execsvc.executions AS e WHERE e.state IN ('PENDING', 'RUNNING')
                  AND NOT EXISTS (SELECT FROM execsvc.procrastinate_jobs AS j WHERE j.queueing_lock = e.uid)));
        END IF;
    END IF;
    RETURN NEXT;
END
$$;
"""


def jobs_step() -> str:
    """Make the step, with the schema of the installed Procrastinate; its releases are pinned to those of one schema."""
    theirs = files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8")
    return f"SET LOCAL search_path = execsvc, pg_catalog;\n{theirs}\n{_LOCATED}\n{_OURS}"
