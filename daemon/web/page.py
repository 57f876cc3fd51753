"""The documentation as one page of HTML, made of the OpenAPI document alone. It loads nothing and works offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from http import HTTPStatus
from typing import Any

from daemon.web.page_fields import fields, kind_of
from daemon.web.sheet import head, policy, static

_STYLE, _SCRIPT = static("docs.css"), static("docs.js")

Json = dict[str, Any]


POLICY = policy(_STYLE, _SCRIPT)


def page(document: Json) -> str:
    """Write the page."""
    info, base = document["info"], document["servers"][0]["url"]
    return (
        head(f"{info['title']} API", _STYLE) + "<body>"
        f"<header><div><h1>{escape(info['title'])}</h1><span>{escape(info['version'])}</span></div>"
        f'<p><code>{escape(base)}</code> <a href="openapi.json">openapi.json</a></p></header>'
        f'<div class="columns"><nav aria-label="Calls">{_menu(document)}</nav>'
        f'<main><section class="about">{_prose(info["description"])}</section>{_groups(document)}</main></div>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _grouped(document: Json) -> Iterator[tuple[str, list[tuple[str, str, Json]]]]:
    for tag in document["tags"]:
        yield tag["name"], [one for one in _operations(document) if tag["name"] in one[2]["tags"]]


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method} {path}".lower()).strip("-")


def _menu(document: Json) -> str:
    return "".join(
        f"<h2>{escape(group)}</h2><ul>"
        + "".join(
            f'<li><a href="#{_anchor(method, path)}">{_badge(method)}<span>{_path(path)}</span></a></li>'
            for method, path, _ in operations
        )
        + "</ul>"
        for group, operations in _grouped(document)
    )


def _groups(document: Json) -> str:
    return "".join(
        f"<h2>{escape(group)}</h2>" + "".join(_operation(document, *one) for one in operations)
        for group, operations in _grouped(document)
    )


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    more = operation.get("description")
    access = "" if operation["security"] else '<span class="open">no key needed</span>'
    return (
        f'<article id="{_anchor(method, path)}"><h3>{_badge(method)}<code>{_path(path)}</code>{access}</h3>'
        f"<p class=lead>{_inline(operation['summary'])}.</p>{_prose(more) if more else ''}"
        f"{_parameters(operation)}{_body(document, operation)}{_call(document, method, path, operation)}"
        f"<h4>Answers</h4>{_answers(document, operation)}</article>"
    )


def _badge(method: str) -> str:
    return f'<b class="method {method.lower()}">{method}</b>'


def _path(path: str) -> str:
    """A path that can break into lines before its slashes."""
    return escape(path).replace("/", "<wbr>/")


def _parameters(operation: Json) -> str:
    rows = [
        f"<tr><th><code>{escape(one['name'])}</code><small>{'in the ' if one['in'] != 'header' else ''}"
        f"{ {'query': 'URL', 'path': 'path', 'header': 'header'}[one['in']] }{'' if one['required'] else ', optional'}"
        f"</small></th><td>{_inline(one['description'])}<small>{escape(kind_of(one['schema']))}</small></td></tr>"
        for one in operation.get("parameters", ())
    ]
    return f"<h4>Parameters</h4><table>{''.join(rows)}</table>" if rows else ""


def _body(document: Json, operation: Json) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return f"<h4>Body</h4>{fields(document, schema)}"


def _call(document: Json, method: str, path: str, operation: Json) -> str:
    return f"<h4>Call</h4>{_code(curl(document['servers'][0]['url'], method, path, operation))}"


def curl(base: str, method: str, path: str, operation: Json) -> str:
    """Write the call for a shell; n8n's "Import cURL" reads it, too."""
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", str(one["example"]))
    words = [f"curl '{base}{path}'"]
    if method != "GET":
        words[0] = f"curl -X {method} '{base}{path}'"
    scheme: Json = next(iter(operation["security"]), {})
    words += [f"-H '{_KEY_HEADERS[name]}'" for name in scheme]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        said = json.dumps(content["example"]).replace("'", "'\\''")
        words += ["-H 'Content-Type: application/json'", f"-d '{said}'"]
    return " \\\n  ".join(words)


_KEY_HEADERS = {
    "key": "X-Api-Key: catv_...",
    "bearer": "Authorization: Bearer catv_...",
    "master": "X-Master-Key: ...",
    "login": "Cookie: vix_login=...",
}


def _answers(document: Json, operation: Json) -> str:
    good: list[str] = []
    bad: list[str] = []
    for status, reply in operation["responses"].items():
        (good if int(status) < 400 else bad).append(_answer(document, status, reply))
    return "".join(good) + f'<details class="errors"><summary>Errors</summary>{"".join(bad)}</details>'


def _answer(document: Json, status: str, reply: Json) -> str:
    content = reply.get("content", {})
    head = (
        f'<b class="status s{status[0]}">{status}</b> <span>{escape(HTTPStatus(int(status)).phrase)}</span> '
        f"{_inline(reply['description'])}"
    )
    if int(status) >= 400:
        return f'<p class="answer">{head}</p>'
    types = "".join(f"<code>{escape(one)}</code> " for one in content)
    json_content = content.get("application/json", {})
    headers = "".join(
        f"<tr><th><code>{escape(name)}</code><small>header</small></th><td>{_inline(one['description'])}</td></tr>"
        for name, one in reply.get("headers", {}).items()
    )
    inside = f"<table>{headers}</table>" if headers else ""
    if json_content:
        inside += fields(document, json_content["schema"])
    if "example" in json_content:
        inside += _code(json.dumps(json_content["example"], indent=2))
    if not inside:
        return f'<p class="answer">{head} {types}</p>'
    return f'<details class="answer"><summary>{head} {types}</summary>{inside}</details>'


def _code(text: str) -> str:
    return f'<div class="code"><button type="button" hidden>Copy</button><pre><code>{escape(text)}</code></pre></div>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in _paragraphs(text))


def _paragraphs(text: str) -> Iterable[str]:
    return (part for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> str:
    """Text in which `words` in backquotes are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
