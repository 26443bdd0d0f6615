"""API tokens: what is kept of them, that revoking is for ever, and that other processes' changes count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from execsvc.model import SOMEBODY, ApiToken, Role
from execsvc.store import Store
from tests.conformance.backends import Backend
from tests.support.changes import create
from tests.support.tokens import DAY, NOW, token


async def test_a_token_is_kept_with_all_that_is_known_of_it_but_its_secret(store: Store) -> None:
    text, first = token(namespace="a", role=Role.ADMIN, name="für Bob", expire_time=NOW + DAY)
    await store.tokens.add(first, SOMEBODY)

    assert await store.tokens.find(first.token_id) == first
    assert text.startswith(first.token_id)
    assert text.rpartition("_")[2] not in repr(first)


async def test_a_token_that_was_never_stored_is_not_found(store: Store) -> None:
    assert await store.tokens.find("exs_aaaaaaaaaaaa") is None
    assert await store.tokens.revoke("exs_aaaaaaaaaaaa", NOW, SOMEBODY) is None
    assert await store.tokens.all() == []


async def test_tokens_are_listed_newest_first(store: Store) -> None:
    tokens = [token(now=NOW + age)[1] for age in (3, 1, 2)]
    for one in tokens:
        await store.tokens.add(one, SOMEBODY)

    assert await store.tokens.all() == [tokens[0], tokens[2], tokens[1]]


async def test_storing_a_token_again_changes_nothing(store: Store) -> None:
    _, first = token()
    await store.tokens.add(first, SOMEBODY)
    await store.tokens.revoke(first.token_id, NOW, SOMEBODY)
    await store.tokens.add(first, SOMEBODY)

    assert await store.tokens.find(first.token_id) == replace(first, revoke_time=NOW)


async def test_a_token_is_revoked_once_and_for_ever(store: Store) -> None:
    (_, first), (_, other) = token(), token()
    for one in (first, other):
        await store.tokens.add(one, SOMEBODY)
        assert await store.tokens.find(one.token_id) == one

    assert await store.tokens.revoke(first.token_id, NOW + 1, SOMEBODY) == replace(first, revoke_time=NOW + 1)
    assert await store.tokens.revoke(first.token_id, NOW + 2, SOMEBODY) == replace(first, revoke_time=NOW + 1)

    assert await store.tokens.find(first.token_id) == replace(first, revoke_time=NOW + 1)
    assert await store.tokens.find(other.token_id) == other


async def test_tokens_outlive_the_store(store: Store, reopened: Callable[[], Awaitable[Store]]) -> None:
    _, first = token()
    await store.tokens.add(first, SOMEBODY)

    assert await (await reopened()).tokens.all() == [first]


async def test_what_others_change_beside_an_open_store_counts_within_two_seconds(
    store: Store, backend: Backend
) -> None:
    (_, first), (_, second) = token(), token()
    await store.tokens.add(first, SOMEBODY)
    assert await store.tokens.find(first.token_id) == first

    async with backend.tokens() as beside:
        await beside.add(second, SOMEBODY)
        await beside.revoke(first.token_id, NOW, SOMEBODY)
        assert {one.token_id for one in await beside.all()} == {first.token_id, second.token_id}
    assert await store.tokens.find(second.token_id) == second
    async with asyncio.timeout(2):
        while True:
            if await store.tokens.find(first.token_id) != first:
                break
            await asyncio.sleep(0.02)
    assert await store.tokens.find(first.token_id) == replace(first, revoke_time=NOW)


async def test_tokens_are_changed_while_executions_are_written(store: Store, backend: Backend) -> None:
    async def written(number: int) -> None:
        await store.create(create(f"e{number}"))

    async def added(one: ApiToken) -> None:
        async with backend.tokens() as beside:
            await beside.add(one, SOMEBODY)

    tokens = [token()[1] for _ in range(5)]
    await asyncio.gather(*map(written, range(50)), *map(added, tokens))

    assert {one.token_id for one in await store.tokens.all()} == {one.token_id for one in tokens}
