"""Secrets that definitions name and never hold: where they come from, and how they are kept out of what is written."""

from execsvc.secrets.places import Local, SecretSource
from execsvc.secrets.references import MAX_NAME, Reference, SecretText, split_references
from execsvc.secrets.scrubber import HIDDEN, NOTHING, REMEMBERED_VALUES, Scrubber, StreamScrubber
from execsvc.secrets.secrets import Revealed, SecretError, Secrets, make_secrets

__all__ = [
    "HIDDEN",
    "MAX_NAME",
    "NOTHING",
    "REMEMBERED_VALUES",
    "Local",
    "Reference",
    "Revealed",
    "Scrubber",
    "SecretError",
    "SecretSource",
    "SecretText",
    "Secrets",
    "StreamScrubber",
    "make_secrets",
    "split_references",
]
