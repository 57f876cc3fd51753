"""A JSON Schema as a table of fields that a person reads. Knows nothing of calls."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from daemon.web.openapi import AS_TEXT

Json = dict[str, Any]
_NAMES = {"array": "list", "object": "object"}


def fields(document: Json, schema: Json) -> str:
    """Write the fields of an object; what is inside of a field folds out."""
    found = _object(document, schema)
    rows = "".join(_row(document, name, one) for name, one in found.get("properties", {}).items())
    return f"<table>{rows}</table>" if rows else ""


def _row(document: Json, name: str, schema: Json) -> str:
    inner = _object(document, schema)
    text = schema.get("description") or inner.get("description", "")
    inside = fields(document, inner) if inner.get("properties") else ""
    folded = f"<details><summary>its fields</summary>{inside}</details>" if inside else ""
    return (
        f"<tr><th><code>{escape(name)}</code></th>"
        f"<td>{_inline(text)}<small>{escape(_said(document, schema))}</small>{folded}</td></tr>"
    )


def _said(document: Json, schema: Json) -> str:
    default = schema.get("default")
    shown = "" if "default" not in schema or isinstance(default, dict) else f", default {json.dumps(default)}"
    return kind_of(schema) + shown


def kind_of(schema: Json) -> str:
    """Say in words what a value may be: `number, 0 to 4`."""
    if "anyOf" in schema:
        kinds = dict.fromkeys(kind_of(one) for one in schema["anyOf"] if one.get("title") != AS_TEXT)
        return " or ".join(kind for kind in kinds if kind) or "anything"
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "$ref" in schema:
        return "object"
    kind = schema.get("type", "anything")
    if kind == "array" and "items" in schema:
        kind = f"list of {kind_of(schema['items'])}"
    return str(_NAMES.get(kind, kind)) + _bounds(schema)


def _bounds(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low:g} to {high:g}" if high < 2**40 else f", {low:g} or more"
    if low is not None:
        return f", {low:g} or more"
    if "maxLength" in schema:
        return f", up to {schema['maxLength']} characters"
    return ""


def _object(document: Json, schema: Json) -> Json:
    """Find the object that a schema is, refers to, lists, or may be beside null."""
    for one in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        if "$ref" in one:
            found: Json = document["components"]["schemas"][one["$ref"].rpartition("/")[2]]
            return found
        if one is not schema and (inner := one.get("items")) and "$ref" in inner:
            return _object(document, inner)
    return schema


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
