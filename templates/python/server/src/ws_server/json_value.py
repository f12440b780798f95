"""JSON values that can be passed on."""

# #if protocols
import json
# #endif
import math
# #if protocols
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
# #endif

# Levels of arrays and objects in each other: what reads or writes them needs as many calls.
MAX_DEPTH = 64


def fault_of(value: object, limit: int = MAX_DEPTH) -> str | None:
    """Return why a value cannot be passed on; None if it can."""
    if isinstance(value, int | float):
        return None if _is_double(value) else "expected numbers that a double can hold"
    if not isinstance(value, dict | list):
        return None
    if limit == 0:
        return f"expected at most {MAX_DEPTH} levels"
    items = value.values() if isinstance(value, dict) else value
    return next(filter(None, (fault_of(item, limit - 1) for item in items)), None)


# #if protocols
def write_json(value: object) -> str:
    """Write a value as JSON; a dataclass is an object.

    Raises TypeError, ValueError or RecursionError for what cannot be JSON.
    """
    return _ENCODER.encode(value)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be JSON")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
)


# #endif
def _is_double(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
