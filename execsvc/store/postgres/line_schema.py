"""The schema step by which the line of what waits has places for each namespace, and keys of its own.

The functions before it stay, for servers of earlier versions that still run on the database.
"""

from __future__ import annotations

from typing import Final

from execsvc.store.postgres.jobs_schema import FETCH_LOCK

#: Where ``args`` of a job say of which namespace it is; keys are a namespace's own.
_LIMIT_OF_KEY: Final = "coalesce((p_limits ->> {key})::integer, p_default)"
#: A namespace that is named and has no limit is JSON null, and not what the default says.
_SLOTS_OF: Final = "CASE WHEN p_namespaces ? {ns} THEN (p_namespaces ->> {ns})::integer ELSE p_slots END"
_ORDER: Final = "priority DESC, ((args ->> 'created')::bigint), id"

LINE: Final = f"""
-- Of each namespace what waits in its order, and what runs of each of its keys.
CREATE INDEX jobs_of_namespace ON execsvc.procrastinate_jobs ((args ->> 'namespace'), {_ORDER}) WHERE status = 'todo';
CREATE INDEX jobs_of_lane ON execsvc.procrastinate_jobs ((args ->> 'namespace'), (args ->> 'key'))
    WHERE status = 'doing';

-- Takes what waits: one server at a time, so that the count of each key and namespace holds. What is held back by its
-- namespace is not looked at, however much that is: of each namespace with room no more is read than may be taken.
CREATE FUNCTION execsvc.take_jobs(
    p_worker bigint, p_most integer, p_default integer, p_limits jsonb, p_slots integer, p_namespaces jsonb)
RETURNS TABLE (args jsonb, priority integer, uid text) LANGUAGE plpgsql AS $$
DECLARE
    job record;
    jobs refcursor;
    -- What runs of a lane: a namespace and, after a blank, a key; or a namespace alone.
    counts jsonb;
    full_lanes text[];
    most integer;
    held_back boolean;
BEGIN
    PERFORM pg_advisory_xact_lock({FETCH_LOCK});
    -- A server that was given up takes nothing until it has joined anew.
    PERFORM FROM execsvc.procrastinate_workers AS w WHERE w.id = p_worker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(jsonb_object_agg(r.lane, r.running), '{{}}') INTO counts
    FROM (
        SELECT j.args ->> 'namespace' AS lane, count(*) AS running FROM execsvc.procrastinate_jobs AS j
        WHERE j.status = 'doing' AND p_namespaces IS NOT NULL GROUP BY 1
        UNION ALL
        SELECT (j.args ->> 'namespace') || ' ' || (j.args ->> 'key'), count(*) FROM execsvc.procrastinate_jobs AS j
        WHERE j.status = 'doing' AND j.args ->> 'key' <> '' GROUP BY 1
    ) AS r;
    LOOP
        held_back := false;
        SELECT coalesce(array_agg(c.lane), '{{}}') INTO full_lanes
        FROM (SELECT k AS lane, substr(k, position(' ' IN k) + 1) AS key, v::integer AS running
              FROM jsonb_each_text(counts) AS e (k, v) WHERE position(' ' IN k) > 0) AS c
        WHERE c.running >= {_LIMIT_OF_KEY.format(key="c.key")};
        IF p_namespaces IS NULL THEN
            OPEN jobs FOR
                SELECT j.id, j.args, j.priority, j.queueing_lock AS uid, j.args ->> 'namespace' AS namespace,
                       j.args ->> 'key' AS key
                FROM execsvc.procrastinate_jobs AS j
                WHERE j.status = 'todo' AND NOT (j.args ->> 'namespace') || ' ' || (j.args ->> 'key') = ANY(full_lanes)
                ORDER BY j.priority DESC, (j.args ->> 'created')::bigint, j.id
                FOR UPDATE SKIP LOCKED;
        ELSE
            OPEN jobs FOR
                WITH RECURSIVE waiting AS (
                    SELECT (SELECT j.args ->> 'namespace' FROM execsvc.procrastinate_jobs AS j
                            WHERE j.status = 'todo' ORDER BY j.args ->> 'namespace' LIMIT 1) AS namespace
                    UNION ALL
                    SELECT (SELECT j.args ->> 'namespace' FROM execsvc.procrastinate_jobs AS j
                            WHERE j.status = 'todo' AND j.args ->> 'namespace' > w.namespace
                            ORDER BY j.args ->> 'namespace' LIMIT 1)
                    FROM waiting AS w WHERE w.namespace IS NOT NULL
                ), room AS (
                    SELECT w.namespace, least(p_most, {_SLOTS_OF.format(ns="w.namespace")}
                               - coalesce((counts ->> w.namespace)::integer, 0)) AS room
                    FROM waiting AS w WHERE w.namespace IS NOT NULL
                )
                SELECT h.* FROM room CROSS JOIN LATERAL (
                    SELECT j.id, j.args, j.priority, j.queueing_lock AS uid, room.namespace AS namespace,
                           j.args ->> 'key' AS key
                    FROM execsvc.procrastinate_jobs AS j
                    WHERE j.status = 'todo' AND j.args ->> 'namespace' = room.namespace
                      AND NOT (j.args ->> 'namespace') || ' ' || (j.args ->> 'key') = ANY(full_lanes)
                    ORDER BY j.priority DESC, (j.args ->> 'created')::bigint, j.id
                    LIMIT room.room
                ) AS h
                WHERE room.room > 0
                ORDER BY h.priority DESC, (h.args ->> 'created')::bigint, h.id;
        END IF;
        LOOP
            FETCH jobs INTO job;
            EXIT WHEN NOT FOUND OR p_most <= 0;
            IF job.key <> '' THEN
                most := {_LIMIT_OF_KEY.format(key="job.key")};
                IF coalesce((counts ->> (job.namespace || ' ' || job.key))::integer, 0) >= most THEN
                    -- Of a namespace only so many were read as it has room for: what its keys hold back hides others
                    -- of it, which are read once its key is known to be full.
                    held_back := p_namespaces IS NOT NULL;
                    EXIT WHEN held_back;
                    CONTINUE;
                END IF;
            END IF;
            -- Whoever is about to end it has it locked.
            PERFORM FROM execsvc.procrastinate_jobs AS j WHERE j.id = job.id AND j.status = 'todo'
                FOR UPDATE SKIP LOCKED;
            CONTINUE WHEN NOT FOUND;
            UPDATE execsvc.procrastinate_jobs AS j SET status = 'doing', worker_id = p_worker WHERE j.id = job.id;
            counts := counts || jsonb_build_object(
                job.namespace, coalesce((counts ->> job.namespace)::integer, 0) + 1);
            IF job.key <> '' THEN
                counts := counts || jsonb_build_object(job.namespace || ' ' || job.key,
                    coalesce((counts ->> (job.namespace || ' ' || job.key))::integer, 0) + 1);
            END IF;
            args := job.args;
            priority := job.priority;
            uid := job.uid;
            RETURN NEXT;
            p_most := p_most - 1;
        END LOOP;
        CLOSE jobs;
        EXIT WHEN p_most <= 0 OR NOT held_back;
    END LOOP;
END
$$;

-- Where an execution stands among those that wait for a slot, or else for their key, or for their namespace ('').
CREATE FUNCTION execsvc.place_in_line(
    p_uid text, p_default integer, p_limits jsonb, p_slots integer, p_namespaces jsonb)
RETURNS TABLE (place bigint, length bigint, of_key text) LANGUAGE sql STABLE AS $$
    WITH line AS (
        SELECT j.queueing_lock AS uid, j.args ->> 'namespace' AS ns, j.args ->> 'key' AS key, j.priority, j.id,
               (j.args ->> 'created')::bigint AS created,
               row_number() OVER (
                   PARTITION BY j.args ->> 'namespace', j.args ->> 'key'
                   ORDER BY j.priority DESC, (j.args ->> 'created')::bigint, j.id) AS nth,
               count(*) OVER (PARTITION BY j.args ->> 'namespace', j.args ->> 'key') AS of_its_key
        FROM execsvc.procrastinate_jobs AS j WHERE j.status = 'todo'
    ), running AS (
        SELECT j.args ->> 'namespace' AS ns, j.args ->> 'key' AS key, count(*) AS running
        FROM execsvc.procrastinate_jobs AS j WHERE j.status = 'doing' GROUP BY 1, 2
    ), of_keys AS (
        SELECT line.*, line.key <> '' AND line.nth > {_LIMIT_OF_KEY.format(key="line.key")}
               - coalesce((SELECT r.running FROM running AS r WHERE r.ns = line.ns AND r.key = line.key), 0) IS TRUE
               AS by_key
        FROM line
    ), of_namespaces AS (
        SELECT of_keys.*, row_number() OVER (PARTITION BY by_key, ns ORDER BY priority DESC, created, id) AS of_ns,
               count(*) OVER (PARTITION BY by_key, ns) AS of_its_ns
        FROM of_keys
    ), told AS (
        SELECT o.*, NOT o.by_key AND p_namespaces IS NOT NULL AND o.of_ns > {_SLOTS_OF.format(ns="o.ns")}
               - coalesce((SELECT sum(r.running) FROM running AS r WHERE r.ns = o.ns), 0) IS TRUE AS by_namespace
        FROM of_namespaces AS o
    ), placed AS (
        SELECT told.*,
               row_number() OVER (PARTITION BY by_key OR by_namespace ORDER BY priority DESC, created, id) AS of_slots,
               count(*) OVER (PARTITION BY by_key OR by_namespace) AS of_its_slots
        FROM told
    )
    SELECT CASE WHEN by_key THEN nth WHEN by_namespace THEN of_ns ELSE of_slots END,
           CASE WHEN by_key THEN of_its_key WHEN by_namespace THEN of_its_ns ELSE of_its_slots END,
           CASE WHEN by_key THEN key WHEN by_namespace THEN '' END
    FROM placed WHERE uid = p_uid
$$;
"""
