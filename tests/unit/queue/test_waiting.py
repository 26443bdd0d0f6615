"""The line: priority, then age; a key at its limit holds back its own and nobody else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from execsvc.model import UNLIMITED, ExecutionState, NamespaceLimits, Namespaces
from execsvc.queue import KeyLimits
from execsvc.queue.waiting import Lane, Waiting, WaitingLine, lanes_of, lanes_of_key
from execsvc.store import Unfinished


def item(uid: str, *, priority: int = 0, time: int = 0, key: str = "", namespace: str = "n") -> Unfinished:
    return Unfinished(
        namespace=namespace,
        execution_id=f"id-{uid}",
        uid=uid,
        state=ExecutionState.PENDING,
        priority=priority,
        create_time=time,
        concurrency_key=key,
    )


class World:
    """A line, and what runs."""

    def __init__(self, limits: KeyLimits, namespaces: Namespaces = UNLIMITED) -> None:
        self.running: Counter[Lane] = Counter()
        self.line: WaitingLine[str] = WaitingLine(limits, lambda lane: self.running[lane], namespaces)

    def add(self, uid: str, **fields: object) -> None:
        self.line.add(item(uid, **fields), f"extra of {uid}")  # type: ignore[arg-type]

    def take(self) -> str | None:
        """Start what is next."""
        waiting = self.line.take()
        if waiting is None:
            return None
        for lane in lanes_of(waiting.item):
            self.running[lane] += 1
            self.line.refresh(lane)
        return waiting.item.uid

    def take_all(self) -> list[str]:
        taken = []
        while (uid := self.take()) is not None:
            taken.append(uid)
        return taken

    def end(self, key: str, namespace: str = "n") -> None:
        for lane in lanes_of_key(namespace, key):
            self.running[lane] -= 1
            self.line.refresh(lane)


@pytest.fixture
def world() -> World:
    """A line without a limit for keys in general, and with limits for some."""
    return World(KeyLimits(default=None, overrides={"one": 1, "two": 2, "none": 0}))


def test_the_highest_priority_starts_first_and_among_equals_the_oldest(world: World) -> None:
    world.add("late", time=3)
    world.add("early", time=1)
    world.add("urgent", priority=5, time=9)
    world.add("idle", priority=-5, time=0)
    assert world.take_all() == ["urgent", "early", "late", "idle"]


def test_what_has_the_same_priority_and_age_starts_in_the_order_it_came(world: World) -> None:
    for uid in "abcdef":
        world.add(uid)
    assert world.take_all() == list("abcdef")


def test_what_its_starter_keeps_beside_it_comes_back(world: World) -> None:
    world.add("a")
    waiting = world.line.take()
    assert waiting is not None
    assert (waiting.item.execution_id, waiting.extra) == ("id-a", "extra of a")


def test_a_key_runs_no_more_than_its_limit_and_the_next_starts_as_one_ends(world: World) -> None:
    for uid in "abcd":
        world.add(uid, key="two")
    assert world.take_all() == ["a", "b"]
    world.end("two")
    assert world.take_all() == ["c"]
    assert world.take_all() == []
    world.end("two")
    assert world.take_all() == ["d"]


def test_a_key_at_its_limit_holds_back_nobody_else(world: World) -> None:
    world.add("first", key="one", priority=9)
    world.add("second", key="one", priority=9)
    world.add("other key", key="two")
    world.add("no key")
    world.add("free key", key="three")
    assert world.take_all() == ["first", "other key", "no key", "free key"]


def test_a_higher_priority_overtakes_others_of_its_key_that_wait(world: World) -> None:
    world.add("runs", key="one")
    assert world.take() == "runs"
    world.add("waits", key="one", time=1)
    world.add("urgent", key="one", time=2, priority=1)
    assert world.take() is None
    world.end("one")
    assert world.take() == "urgent"


def test_a_higher_priority_overtakes_one_of_its_key_that_was_next(world: World) -> None:
    world.add("waits", key="one", time=1)
    world.add("urgent", key="one", time=2, priority=1)
    assert world.take_all() == ["urgent"]


def test_a_key_with_limit_0_never_starts(world: World) -> None:
    world.add("a", key="none")
    assert world.take() is None
    assert not world.line.has_room(("n", "none"))


@pytest.mark.parametrize(
    ("key", "limit"), [("", None), ("a", 3), ("special", 7), ("closed", 0)], ids=["no key", "default", "own", "zero"]
)
def test_a_key_has_the_limit_of_its_own_or_else_the_default(key: str, limit: int | None) -> None:
    assert KeyLimits(default=3, overrides={"special": 7, "closed": 0, "": 1}).of(key) == limit


def test_without_a_default_a_key_has_no_limit() -> None:
    assert KeyLimits(overrides={"special": 7}).of("a") is None


def test_one_that_waits_already_is_replaced(world: World) -> None:
    world.add("a", key="one")
    world.add("b")
    world.add("a", priority=1)
    assert len(world.line) == 2
    assert world.take_all() == ["a", "b"]


def test_one_that_is_removed_never_starts_and_makes_room(world: World) -> None:
    world.add("a", key="one")
    world.add("b", key="one")
    world.line.remove("a")
    world.line.remove("nobody")
    assert world.take_all() == ["b"]
    assert len(world.line) == 0


def test_who_waits_is_told_why_and_where_it_stands(world: World) -> None:
    world.add("a", key="one", time=0)
    assert world.take() == "a"
    for time, uid in enumerate("bcd", start=1):
        world.add(uid, key="one", time=time)
    for time, uid in enumerate("xyz", start=1):
        world.add(uid, time=time)
    assert world.line.describe("a") is None
    assert world.line.describe("b") == "waiting for concurrency key 'one' (limit 1), place 1 of 3"
    assert world.line.describe("d") == "waiting for concurrency key 'one' (limit 1), place 3 of 3"
    assert world.line.describe("y") == "waiting for a slot, place 2 of 3"
    # The first of a key that has room waits for a slot like all others, in their order.
    world.end("one")
    assert world.line.describe("b") == "waiting for a slot, place 1 of 4"
    assert world.line.describe("c") == "waiting for concurrency key 'one' (limit 1), place 2 of 3"


def test_keys_of_the_same_name_are_each_namespaces_own(world: World) -> None:
    for namespace in "mn":
        for number in range(2):
            world.add(f"{namespace}{number}", key="one", namespace=namespace)
    assert world.take_all() == ["m0", "n0"]
    world.end("one", "m")
    assert world.take_all() == ["m1"]


def test_a_namespace_runs_no_more_than_its_slots_and_holds_back_nobody_else() -> None:
    world = World(KeyLimits(overrides={"one": 1}), Namespaces(overrides={"m": NamespaceLimits(slots=2)}))
    for number in range(4):
        world.add(f"m{number}", namespace="m", priority=9, time=number)
    world.add("n0")
    assert world.take_all() == ["m0", "m1", "n0"]
    assert world.line.describe("m3") == "waiting for a slot of its namespace (limit 2), place 2 of 2"
    assert world.line.of_namespace("m") == 2
    world.end("", "m")
    assert world.line.describe("m2") == "waiting for a slot, place 1 of 1"
    assert world.line.describe("m3") == "waiting for a slot of its namespace (limit 2), place 2 of 2"
    assert world.take_all() == ["m2"]


def test_what_its_key_holds_back_takes_no_slot_of_its_namespace() -> None:
    world = World(KeyLimits(overrides={"one": 1}), Namespaces(default=NamespaceLimits(slots=2)))
    for number in range(3):
        world.add(f"k{number}", key="one", priority=9, time=number)
    world.add("free", time=9)
    assert world.take_all() == ["k0", "free"]
    assert world.line.describe("k1") == "waiting for concurrency key 'one' (limit 1), place 1 of 2"


def test_what_is_held_back_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of a namespace waits, what others add and take costs as much as without it."""
    compared: list[str] = []
    rank = Waiting.rank.fget
    assert rank is not None

    def counted(waiting: Waiting[str]) -> tuple[int, int, int]:
        compared.append(waiting.item.uid)
        return rank(waiting)  # type: ignore[no-any-return]

    world = World(KeyLimits(overrides={}), Namespaces(overrides={"m": NamespaceLimits(slots=1)}))
    for number in range(5_000):
        world.add(f"m{number}", namespace="m", priority=9)
    assert world.take() == "m0"
    monkeypatch.setattr(Waiting, "rank", property(counted))
    for number in range(20):
        world.add(f"n{number}", namespace="n")
    assert world.take_all() == [f"n{number}" for number in range(20)]
    assert {uid[0] for uid in compared} == {"n"}


KEYS = ["", "one", "two", "free"]
LIMITS = {"one": 1, "two": 2}
SLOTS = {"m": 1, "n": 3}


class AnyHistory(RuleBasedStateMachine):
    """The line against a list that is sorted and searched anew at each step."""

    def __init__(self) -> None:
        super().__init__()
        namespaces = {name: NamespaceLimits(slots=slots) for name, slots in SLOTS.items()}
        self.world = World(KeyLimits(overrides=LIMITS), Namespaces(overrides=namespaces))
        self.waiting: list[tuple[Unfinished, int]] = []
        self.came = 0
        self.running: list[tuple[str, str]] = []

    def ordered(self) -> list[Unfinished]:
        ranked = sorted(self.waiting, key=lambda pair: (-pair[0].priority, pair[0].create_time, pair[1]))
        return [waits for waits, _ in ranked]

    def eligible(self) -> tuple[list[Unfinished], list[Unfinished]]:
        """What may start, and what its namespace alone holds back."""
        of_keys = Counter(self.running)
        of_namespaces = Counter(namespace for namespace, _ in self.running)
        found, held_back = [], []
        for waits in self.ordered():
            lane = (waits.namespace, waits.concurrency_key)
            if of_keys[lane] >= LIMITS.get(lane[1], 99):
                continue
            of_keys[lane] += 1
            if of_namespaces[waits.namespace] >= SLOTS.get(waits.namespace, 99):
                held_back.append(waits)
                continue
            of_namespaces[waits.namespace] += 1
            found.append(waits)
        return found, held_back

    @rule(
        uid=st.sampled_from("abcdefgh"),
        priority=st.integers(-1, 1),
        time=st.integers(0, 2),
        key=st.sampled_from(KEYS),
        namespace=st.sampled_from("mno"),
    )
    def add(self, uid: str, priority: int, time: int, key: str, namespace: str) -> None:
        self.waiting = [pair for pair in self.waiting if pair[0].uid != uid]
        self.came += 1
        added = item(uid, priority=priority, time=time, key=key, namespace=namespace)
        self.waiting.append((added, self.came))
        self.world.line.add(added, "")

    @rule(uid=st.sampled_from("abcdefgh"))
    def remove(self, uid: str) -> None:
        self.waiting = [pair for pair in self.waiting if pair[0].uid != uid]
        self.world.line.remove(uid)

    @rule()
    def take(self) -> None:
        expected = next(iter(self.eligible()[0]), None)
        assert self.world.take() == (None if expected is None else expected.uid)
        if expected is not None:
            self.waiting = [pair for pair in self.waiting if pair[0] is not expected]
            self.running.append((expected.namespace, expected.concurrency_key))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        namespace, key = data.draw(st.sampled_from(self.running))
        self.running.remove((namespace, key))
        self.world.end(key, namespace)

    @invariant()
    def the_line_says_the_same_as_the_list(self) -> None:
        line = self.world.line
        assert len(line) == len(self.waiting)
        for namespace in "mno":
            assert line.of_namespace(namespace) == sum(one.namespace == namespace for one, _ in self.waiting)
        found, held_back = self.eligible()
        eligible, of_namespaces = [one.uid for one in found], [one.uid for one in held_back]
        for waits in self.ordered():
            told = line.describe(waits.uid)
            if waits.uid in eligible:
                assert told == f"waiting for a slot, place {eligible.index(waits.uid) + 1} of {len(eligible)}"
                continue
            namespace, key = waits.namespace, waits.concurrency_key
            if waits.uid in of_namespaces:
                before = [one.uid for one in (*found, *held_back) if one.namespace == namespace]
                place = f"place {before.index(waits.uid) + 1} of {len(before)}"
                assert told == f"waiting for a slot of its namespace (limit {SLOTS[namespace]}), {place}"
            else:
                lane = [one.uid for one in self.ordered() if (one.namespace, one.concurrency_key) == (namespace, key)]
                place = f"place {lane.index(waits.uid) + 1} of {len(lane)}"
                assert told == f"waiting for concurrency key {key!r} (limit {LIMITS[key]}), {place}"

    @invariant()
    def nothing_runs_more_than_its_limit(self) -> None:
        for namespace in "mno":
            running = [key for of, key in self.running if of == namespace]
            assert len(running) <= SLOTS.get(namespace, 99)
            assert self.world.line.has_room((namespace, "")) == (len(running) < SLOTS.get(namespace, 99))
            for key, limit in LIMITS.items():
                assert running.count(key) <= limit
                assert self.world.line.has_room((namespace, key)) == (running.count(key) < limit)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), max_size=30))
@settings(max_examples=50, deadline=None)
def test_without_keys_the_line_is_a_sort(ranks: list[tuple[int, int]]) -> None:
    world = World(KeyLimits(overrides={}))
    for number, (priority, time) in enumerate(ranks):
        world.add(str(number), priority=priority, time=time)
    expected = sorted(range(len(ranks)), key=lambda number: (-ranks[number][0], ranks[number][1], number))
    assert world.take_all() == [str(number) for number in expected]
