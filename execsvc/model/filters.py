"""Which executions to list: a condition as a tree, as ListExecutions means it and stores carry it out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """What a condition may speak of."""

    STATE = "state"
    WORKFLOW_ID = "workflow_id"
    EXECUTION_ID = "execution_id"
    CREATE_TIME = "create_time"
    START_TIME = "start_time"
    END_TIME = "end_time"
    PRIORITY = "priority"
    LABEL = "labels"


class Operator(StrEnum):
    """How a value is compared. A time or label that is not there matches no comparison, not even ``!=``."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    #: The label is there, whatever its value.
    HAS = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison of a field with a value."""

    field: Field
    operator: Operator
    #: Text, or microseconds since the epoch for times, or a whole number for the priority.
    value: str | int
    #: Key of a label; empty for other fields.
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    """Holds where all parts hold; everywhere if there is none."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Holds where one of the parts holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Holds where its part does not."""

    part: Condition


Condition = Comparison | All | AnyOf | Not


class OrderField(StrEnum):
    """What a list of executions may be ordered by."""

    CREATE_TIME = "create_time"
    END_TIME = "end_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order of a list; equal times are told apart by the order in which executions were stored."""

    field: OrderField = OrderField.CREATE_TIME
    descending: bool = True
