"""The audit trail: no change without its record, nothing recorded that did not happen, and seeking in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from execsvc.errors import ExecsvcError
from execsvc.model import (
    SOMEBODY,
    Actor,
    ActorKind,
    AuditFilter,
    AuditRecord,
    ExecutionState,
    Role,
)
from execsvc.store import DeleteExecution, PutWorkflow, Store
from tests.conformance.backends import Backend
from tests.support.changes import NAMESPACE, NOW, create, move, update
from tests.support.tokens import token

ANN = Actor(
    kind=ActorKind.TOKEN,
    name="exs_aaaaaaaaaaaa",
    label="für\0Ann",
    role="operator",
    address="10.0.0.7",
    request_id="r1",
)
BOB = Actor(kind=ActorKind.JWT, name="bob@example", role="admin", address="::1")


async def trail(store: Store, **wanted: object) -> list[AuditRecord]:
    """What is on record, newest first."""
    return list(await store.audit.page(AuditFilter(**wanted), after=None, limit=1_000))  # type: ignore[arg-type]


def told(records: list[AuditRecord]) -> list[tuple[str, ...]]:
    """Of each record who did what, and to what effect; oldest first."""
    return [(one.actor.name, one.action, one.target, one.uid, one.outcome) for one in reversed(records)]


async def stopped(store: Store, name: str, **fields: object) -> None:
    """Store an execution and stop it, without a record."""
    await store.create(create(name, **fields))
    await store.update(move(name, ExecutionState.STOPPED))


async def test_each_change_is_on_record_with_who_made_it(store: Store) -> None:
    await store.create(replace(create("e1"), by=ANN))
    await store.update(replace(move("e1", ExecutionState.STOPPED, action="stop", time=NOW + 1), by=BOB))
    await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1", time=NOW + 2, by=BOB))
    put = PutWorkflow(namespace="other", workflow_id="w", version="v", definition=b"{}", time=NOW + 3, by=ANN)
    await store.put_workflow(put)
    _, made = token(now=NOW + 4, namespace="other")
    await store.tokens.add(made, BOB)
    await store.tokens.revoke(made.token_id, NOW + 5, ANN)

    found = await trail(store)
    assert told(found) == [
        (ANN.name, "execute", "e1", "uid-e1", "PENDING"),
        (BOB.name, "stop", "e1", "uid-e1", "STOPPED"),
        (BOB.name, "delete", "e1", "uid-e1", "DELETED"),
        (ANN.name, "create_workflow", "w", "v", "CREATED"),
        (BOB.name, "create_token", made.token_id, "", "CREATED"),
        (ANN.name, "revoke_token", made.token_id, "", "REVOKED"),
    ]
    assert [one.time for one in found] == [NOW + age for age in (5, 4, 3, 2, 1, 0)]
    assert [one.namespace for one in found] == [*["other"] * 3, *[NAMESPACE] * 3]
    assert found[-1].actor == replace(ANN, label="für\N{SYMBOL FOR NULL}Ann")
    assert found[-2].actor == BOB


async def test_what_nobody_is_named_for_has_no_record(store: Store) -> None:
    await stopped(store, "e1")
    await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1"))

    assert await trail(store) == []


async def test_what_changed_nothing_has_no_record(store: Store) -> None:
    await stopped(store, "e1")
    put = PutWorkflow(namespace=NAMESPACE, workflow_id="w", version="v", definition=b"{}", time=NOW)
    await store.put_workflow(put)
    _, made = token()
    await store.tokens.add(made, SOMEBODY)
    await store.tokens.revoke(made.token_id, NOW, SOMEBODY)
    before = await trail(store)

    assert not (await store.create(replace(create("e1"), by=ANN))).created
    assert not (await store.put_workflow(replace(put, by=ANN))).created
    await store.tokens.add(made, ANN)
    await store.tokens.revoke(made.token_id, NOW, ANN)
    assert await store.tokens.revoke("exs_bbbbbbbbbbbb", NOW, ANN) is None
    stop = replace(update("e1", action="stop", from_states=(ExecutionState.RUNNING,)), by=ANN)
    for refused in (
        store.create(replace(create("e1", priority=7), by=ANN)),
        store.update(stop),
        store.update(replace(stop, execution_id="none")),
        store.delete(DeleteExecution(namespace="other", execution_id="e1", by=ANN)),
    ):
        with pytest.raises(ExecsvcError):
            await refused
    assert await trail(store) == before


async def test_a_repeated_request_is_on_record_once(store: Store) -> None:
    await store.create(create("e1"))
    stop = replace(move("e1", ExecutionState.STOPPED, request_id="r"), by=ANN)
    first, second = store.update(stop), store.update(stop)

    assert not (await first).repeated
    assert (await second).repeated
    assert len(await trail(store)) == 1


async def test_of_a_batch_in_which_some_changes_are_refused_the_others_are_on_record(store: Store) -> None:
    names = [f"e{number}" for number in range(50)]
    writes = [store.create(replace(create(name, priority=i % 2), by=ANN)) for name in names for i in range(2)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert sum(isinstance(one, Exception) for one in outcomes) == 50
    assert sorted(one.target for one in await trail(store)) == sorted(names)


async def test_records_outlive_what_they_are_about_and_the_store(
    store: Store, reopened: Callable[[], Awaitable[Store]]
) -> None:
    await store.create(replace(create("e1"), by=ANN))
    await store.update(move("e1", ExecutionState.STOPPED))
    await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1"))

    assert [one.target for one in await trail(await reopened())] == ["e1"]


async def test_an_id_that_is_used_again_is_told_apart_by_its_uid(store: Store) -> None:
    for uid in ("first", "second"):
        await store.create(replace(create("e1", uid=uid), by=ANN))
        await store.update(move("e1", ExecutionState.STOPPED))
        await store.delete(DeleteExecution(namespace=NAMESPACE, execution_id="e1", time=NOW, by=BOB))

    assert [one.uid for one in reversed(await trail(store, target="e1"))] == ["first"] * 2 + ["second"] * 2


async def filled(store: Store) -> None:
    """Forty records: of two namespaces, two actors, five times, in an order that is not theirs."""
    for number in range(40):
        change = create(f"e{number % 4}-{number}", namespace="ab"[number % 2], time=NOW + number * 7 % 5)
        await store.create(replace(change, by=(ANN, BOB)[number % 4 < 2]))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"namespace": "a"},
        {"actor": BOB.name},
        {"target": "e1-5"},
        {"action": "execute", "namespace": "b", "actor": ANN.name},
        {"since": NOW + 2, "until": NOW + 4},
        {"actor": ANN.name, "until": NOW + 3},
        {"action": "delete"},
    ],
)
async def test_pages_cover_what_a_filter_asks_for_newest_first_without_gap_or_repeat(
    store: Store, wanted: dict[str, object]
) -> None:
    await filled(store)
    everything = await trail(store)

    def matches(one: AuditRecord) -> bool:
        since, until = wanted.get("since", 0), wanted.get("until", 2**62)
        assert isinstance(since, int)
        assert isinstance(until, int)
        return (
            since <= one.time < until
            and one.namespace == wanted.get("namespace", one.namespace)
            and one.actor.name == wanted.get("actor", one.actor.name)
            and one.action == wanted.get("action", one.action)
            and one.target == wanted.get("target", one.target)
        )

    found: list[AuditRecord] = []
    after = None
    while page := await store.audit.page(AuditFilter(**wanted), after=after, limit=7):  # type: ignore[arg-type]
        found += page
        after = (page[-1].time, page[-1].number)
        # What is added meanwhile, newer than all, shifts nothing.
        await store.create(replace(create(f"late{len(found)}", time=NOW + 100, namespace="c"), by=SOMEBODY))
    assert found == [one for one in everything if matches(one)]
    assert [(one.time, one.number) for one in everything] == sorted(
        ((one.time, one.number) for one in everything), reverse=True
    )
    assert len(everything) == 40


async def test_the_oldest_records_are_removed_and_no_others(store: Store) -> None:
    await filled(store)

    assert await store.audit.remove(NOW, limit=100) == 0
    assert await store.audit.remove(NOW + 2, limit=10) == 10
    assert await store.audit.remove(NOW + 2, limit=10) == 6
    assert {one.time for one in await trail(store)} == {NOW + 2, NOW + 3, NOW + 4}
    assert len(await trail(store)) == 24


async def test_records_are_read_and_removed_beside_an_open_store(store: Store, backend: Backend) -> None:
    await store.create(replace(create("e1"), by=ANN))
    async with backend.trail() as (beside, tokens):
        assert [one.target for one in await beside.page(AuditFilter(), after=None, limit=9)] == ["e1"]
        _, made = token(role=Role.ADMIN, now=NOW + 1)
        await tokens.add(made, BOB)
        assert await beside.remove(NOW + 1, limit=9) == 1
    await store.create(replace(create("e2", time=NOW + 2), by=ANN))
    assert [one.target for one in await trail(store)] == ["e2", made.token_id]


async def test_nobody_can_change_a_record(store: Store, backend: Backend) -> None:
    await store.create(replace(create("e1"), by=ANN))
    with pytest.raises(Exception, match="append-only"):
        await backend.sql("UPDATE {}audit SET actor = 'nobody'")

    assert [one.actor.name for one in await trail(store)] == [ANN.name]
