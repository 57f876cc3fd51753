"""The OpenAPI 3.1 document, made of the table of doors, the models and the table of errors. Pure; knows no request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from daemon.errors import AdminRefused, BadKey, DiskFull, LinkExpired, MissingScope, StoreError, TooManyRequests
from daemon.web.access import Kind
from daemon.web.bodies import BodyTooLarge, BodyTooSlow, NotJson, WrongContentType
from daemon.web.door import Door, Parameter, Reply
from daemon.web.errors import PROBLEM_TYPE, rule_of
from daemon.web.models import Problem
from render.errors import SpecError

_REF = "#/components/schemas/{model}"
_OF_ACCESS: dict[Kind, tuple[type[Exception], ...]] = {
    Kind.NOTHING: (),
    Kind.KEY: (BadKey, MissingScope, TooManyRequests, StoreError, DiskFull),
    Kind.KEY_OR_LINK: (BadKey, LinkExpired, MissingScope, TooManyRequests, StoreError, DiskFull),
    Kind.MASTER: (BadKey, AdminRefused, TooManyRequests, StoreError, DiskFull),
    Kind.RETURN: (AdminRefused, TooManyRequests),
}
_SCHEMES_OF = {
    Kind.NOTHING: (),
    Kind.KEY: ("key", "bearer"),
    Kind.KEY_OR_LINK: ("key", "bearer", "link"),
    Kind.MASTER: ("master",),
    Kind.RETURN: ("login",),
}
_OF_BODIES = (NotJson, BodyTooSlow, BodyTooLarge, WrongContentType, SpecError)
_ABOUT = (
    "One HTTP request becomes one finished social video.\n\n"
    "Send the key as `X-Api-Key: catv_...` or `Authorization: Bearer catv_...`. Errors carry `message`, one sentence "
    "with the field, what is wrong and what to write instead. Films are made one after the other: `POST /v1/generate` "
    "answers at once with a job, `status_url` says how it is doing, and `callback_url` is told when it has ended."
)
_EXAMPLE_PROBLEM = {
    "type": "urn:vix:error:unknown_job",
    "title": "No such job",
    "status": 404,
    "detail": "There is no job with this id.",
    "instance": "/v1/status/job_4v8s2k0q9x7m1c3b5n6z",
    "message": "There is no job with this id.",
}


def document(doors: Sequence[Door], version: str, base: str) -> dict[str, Any]:
    """Write the whole document for a service that is reached at `base`."""
    paths: dict[str, dict[str, Any]] = {}
    for door in doors:
        paths.setdefault(door.path, {})[door.method.lower()] = _operation(door)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vix", "version": version or "0", "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": base}],
        "tags": [{"name": name} for name in sorted({door.manual.group for door in doors}, key=_place)],
        "paths": paths,
        "components": {"schemas": _schemas(doors), "securitySchemes": _SCHEMES},
    }


def _place(group: str) -> tuple[int, str]:
    """What people come for goes first."""
    return (_FIRST_GROUPS.index(group) if group in _FIRST_GROUPS else len(_FIRST_GROUPS)), group


_FIRST_GROUPS = ("Films", "Jobs", "Deliveries", "Schedules", "Library", "Service", "Admin")
_SCHEMES = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "`./vix keys create NAME` makes one.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same key."},
    "link": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "With `expires`, as in the signed links of a result: opens one file for some time.",
    },
    "master": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Master-Key",
        "description": "The operator's, from addresses that VIX_ADMIN_ALLOW lists.",
    },
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": "vix_login",
        "description": "Set where a login is begun; a browser brings it back by itself.",
    },
}


AS_TEXT = "as text"
_NUMBER = {"title": AS_TEXT, "type": "string", "pattern": r"^\s*[+-]?[0-9_]*\.?[0-9_]*([eE][+-]?[0-9]+)?\s*$"}
_YES_OR_NO = "^([01]|[oO][nN]|[oO][fF][fF]|[tTyYfFnN]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO])$"
_TEXTS: dict[str, list[dict[str, Any]]] = {
    "number": [_NUMBER],
    "integer": [_NUMBER],
    "boolean": [{"title": AS_TEXT, "enum": [0, 1]}, {"title": AS_TEXT, "type": "string", "pattern": _YES_OR_NO}],
}


def _operation(door: Door) -> dict[str, Any]:
    manual = door.manual
    summary, _, more = manual.about.partition(". ")
    operation: dict[str, Any] = {
        "operationId": door.handler.__name__,
        "tags": [manual.group],
        "summary": summary.removesuffix("."),
        "security": [{name: []} for name in _SCHEMES_OF[door.access.kind]],
        "responses": {str(status): _reply(reply) for status, reply in manual.replies.items()},
    }
    if more:
        operation["description"] = more
    if manual.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in manual.parameters]
    if manual.body is not None:
        content: dict[str, Any] = {"schema": _ref(manual.body)}
        if manual.body_example is not None:
            content["example"] = manual.body_example
        operation["requestBody"] = {"required": not manual.is_body_optional, "content": {"application/json": content}}
    for status, titles in _errors(door).items():
        operation["responses"].setdefault(str(status), _problem(titles))
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.about,
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }


def _reply(reply: Reply) -> dict[str, Any]:
    written: dict[str, Any] = {"description": reply.about}
    if reply.headers:
        written["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in reply.headers.items()
        }
    content: dict[str, Any] = {}
    if reply.model is not None:
        content["application/json"] = {"schema": _ref(reply.model)}
        if reply.example is not None:
            content["application/json"]["example"] = reply.example
    content |= {media_type: {"schema": {"type": "string"}} for media_type in reply.media_types}
    return written | ({"content": content} if content else {})


def _errors(door: Door) -> dict[int, list[str]]:
    """Every status that the door can end with beside its good answers, with the titles of what it means."""
    kinds: Iterable[type[Exception]] = (
        *_OF_ACCESS[door.access.kind],
        *(_OF_BODIES if door.manual.body else ()),
        *door.manual.errors,
        Exception,
    )
    found: dict[int, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        rule = rule_of(kind)
        found.setdefault(rule.status, []).append(rule.title)
    return dict(sorted(found.items()))


def _problem(titles: list[str]) -> dict[str, Any]:
    schema = {"schema": _ref(Problem)}
    return {
        "description": "; ".join(dict.fromkeys(titles)) + ".",
        "content": {"application/json": schema | {"example": _EXAMPLE_PROBLEM}, PROBLEM_TYPE: schema},
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(doors: Sequence[Door]) -> dict[str, Any]:
    """The schemas of all models: of what is read as it may be written, of what is answered as it is written."""
    read = {door.manual.body for door in doors if door.manual.body}
    answered = {reply.model for door in doors for reply in door.manual.replies.values() if reply.model} | {Problem}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in read]
    modes += [(model, "serialization") for model in answered]
    modes.sort(key=lambda pair: pair[0].__name__)
    _, found = models_json_schema(modes, ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    answered_only = models_json_schema([mode for mode in modes if mode[1] == "serialization"], ref_template=_REF)[1]
    for name in set(schemas) - set(answered_only["$defs"]):
        schemas[name] = _as_text_too(schemas[name])
    return schemas


def _as_text_too(schema: Any) -> Any:
    """Say of numbers and switches in a request that they are taken as text, too, as forms and n8n write them."""
    if isinstance(schema, list):
        return [_as_text_too(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: value if name in ("default", "examples") else _as_text_too(value) for name, value in schema.items()}
    kind = inner.get("type")
    if not isinstance(kind, str) or kind not in _TEXTS:
        return inner
    outer = {name: inner.pop(name) for name in ("description", "default", "title") if name in inner}
    return {**outer, "anyOf": [inner, *_TEXTS[kind]]}
