"""The fields and types of container v1's messages (container_schema.txt), and a strict check against them.

The real API refuses an unknown field or a value of a wrong type in a request; a client under test must
hear the same. The tests check the stand-in's own replies with `types` as well.
"""

import functools
from pathlib import Path

from .core import Problem, detail

INT64 = "int64"


@functools.cache
def messages():
    table = {}
    for line in Path(__file__).with_name("container_schema.txt").read_text().splitlines():
        name, *fields = line.split()
        table[name] = dict(f.split(":", 1) for f in fields)
    return table


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fits(kind, value, strict):
    """Does a JSON value fit a scalar kind? Requests may write numbers in either form; replies may not."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind == INT64:
        return isinstance(value, str) and value.lstrip("-").isdigit() or not strict and is_number(value)
    if kind == "int32":
        return is_number(value) or not strict and isinstance(value, str) and value.lstrip("-").isdigit()
    if kind == "double":
        return is_number(value)
    return isinstance(value, str)


def walk(name, value, path, strict=False):
    """Yields (path, what is wrong) for a value of a message type."""
    if not isinstance(value, dict):
        yield path, f"Cannot bind {type(value).__name__} to a {name}"
        return
    fields = messages()[name]
    for key, item in value.items():
        at = f"{path}.{key}" if path else key
        kind = fields.get(key)
        if item is None:
            continue
        if kind is None:
            yield path, f"Unknown name \"{key}\" at '{path}': Cannot find field."
            continue
        if kind.startswith("{"):
            yield from walk_map(kind[1:-1], item, at, strict)
            continue
        many = kind.startswith("*")
        kind = kind.lstrip("*")
        if many and not isinstance(item, list):
            yield at, f"Invalid value at '{at}': Proto field is repeated."
            continue
        for number, one in enumerate(item if many else [item]):
            where = f"{at}[{number}]" if many else at
            if kind in messages():
                yield from walk(kind, one, where, strict)
            elif not fits(kind, one, strict):
                yield where, f"Invalid value at '{where}' (TYPE_{kind.upper()}), {one!r}"


def walk_map(kind, value, path, strict):
    if not isinstance(value, dict):
        yield path, f"Invalid value at '{path}': expected a map."
        return
    for key, item in value.items():
        if kind in messages():
            yield from walk(kind, item, f"{path}[{key}]", strict)
        elif kind == "StringField" and not isinstance(item, str):
            yield path, f"Invalid value at '{path}[{key}]' (TYPE_STRING), {item!r}"


def check(name, body):
    """Raises 400 with every violation, as the front end of the real API does."""
    wrong = list(walk(name, body, ""))
    if wrong:
        raise Problem(400, "Invalid JSON payload received. " + "\n".join(text for _, text in wrong),
                      details=[detail("BadRequest", fieldViolations=[
                          {"field": path, "description": f"Invalid JSON payload received. {text}"}
                          for path, text in wrong])])


def types(name, body):
    """What in a reply is not as the real API would write it."""
    return [f"{path}: {text}" for path, text in walk(name, body, "", strict=True)]
