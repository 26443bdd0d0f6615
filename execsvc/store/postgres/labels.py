"""Labels in two columns: jsonb has no U+0000, so labels with one are kept as they were given beside it."""

from __future__ import annotations

from typing import Final

import orjson

from execsvc.store.rows import storable

#: Reads the labels of an execution ``e`` as JSON text.
LABELS: Final = "coalesce(e.labels_exact, e.labels::text)"


def label_columns(text: str) -> tuple[str, str | None]:
    """Make the columns ``labels`` and ``labels_exact`` of labels as JSON text."""
    if "\\u0000" not in text:
        return text, None
    plain = {key: storable(value) for key, value in orjson.loads(text).items()}
    return orjson.dumps(plain).decode(), text
