"""Facebook's Graph API and upload host as they were documented and seen, on one loopback address: tokens, Reels in
three steps with resume, chunked videos, processing that takes a while, and all the ways in which it fails.

It is as unkind as it may be: a second `finish` makes a second post, an order takes effect some time after its sender
has gone, and what is not proved with `appsecret_proof` is refused. `python -m tests.fakes.facebook PORT` runs it alone.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import random
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

VERSION = "v26.0"
SCOPES = ("pages_show_list", "pages_read_engagement", "pages_manage_posts")
APP_ID, APP_SECRET = "1234567890", "app-secret-for-tests-0123456789"
_DAY_S = 86_400


@dataclass
class Token:
    """A token and whose it is. `expires_at` 0 is never; `dead` is the code and subcode that it is refused with."""

    kind: str
    owner: str
    expires_at: float = 0.0
    data_until: float = 0.0
    scopes: tuple[str, ...] = SCOPES
    dead: tuple[int, int] | None = None
    app_id: str = APP_ID


@dataclass
class PageOf:
    """A page on the far side."""

    id: str
    name: str
    tasks: list[str] = field(default_factory=lambda: ["ANALYZE", "CREATE_CONTENT", "MANAGE"])


@dataclass
class Video:
    """A video that was begun. `posts` counts what was published of it: more than one is what must never be."""

    id: str
    page: str
    size: int = 0
    content: bytearray = field(default_factory=bytearray)
    session: str = ""
    is_reel: bool = True
    finished: bool = False
    state: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    posts: int = 0
    posted_at: float = 0.0
    cover: bytes = b""
    captions: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Asked:
    """A call as it came; `params` are those of the query and the form."""

    method: str
    path: str
    params: dict[str, str]
    token: str


@dataclass
class Reply:
    """What is answered: a status, JSON or text, and headers. `drop`: the connection breaks instead."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class Refuse(Exception):
    """Ends a call with an error."""

    def __init__(self, code: int, message: str, subcode: int = 0, status: int = 400, **more: Any) -> None:
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Abc", **more}
        self.reply = Reply(status, {"error": error | ({"error_subcode": subcode} if subcode else {})})


class RefuseUpload(Exception):
    """Ends an upload with the shape that the upload host has."""

    def __init__(self, kind: str, message: str, retriable: bool = False, status: int = 400) -> None:
        self.reply = Reply(status, {"debug_info": {"retriable": retriable, "type": kind, "message": message}})


Script = Callable[[Asked], Reply | None]


@dataclass
class Facebook:
    """The far side. What is set here may be changed while it runs.

    `late_s` draws how long an order takes to have an effect, whoever still waits for it; `processing_s` is how long a
    video is worked on after that, `fails` what it then ends with; `spelling` is that of the bytes; `script` may answer
    a call in the place of the rest.
    """

    late_s: Callable[[], float] = lambda: 0.0
    processing_s: float = 0.0
    spelling: str = "bytes_transfered"
    fails: str = ""
    script: Script | None = None
    upload_breaks_at: list[int] = field(default_factory=list)
    drop_answers_of: list[str] = field(default_factory=list)
    chunk_bytes: int = 65_536
    listed_at_once: int = 2
    most_reels_a_day: int = 30
    app_usage: dict[str, int] = field(default_factory=dict)
    page_usage: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    pages: dict[str, PageOf] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(900_000_000_001))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def page(self, name: str, page_id: str = "") -> PageOf:
        """Add a page."""
        page = PageOf(page_id or str(next(self._ids)), name)
        self.pages[page.id] = page
        return page

    def user_token(self, text: str, hours: float = 1.5, **more: Any) -> str:
        """Add the short-lived token of a person with a role on all pages."""
        self.tokens[text] = Token("USER", "user", self.now() + hours * 3600, self.now() + 90 * _DAY_S, **more)
        return text

    @property
    def posts(self) -> list[Video]:
        """What was published, in order."""
        return sorted((video for video in self.videos.values() if video.posts), key=lambda video: video.posted_at)

    # -- answers ------------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked, body: bytes, headers: dict[str, str], files: dict[str, tuple[str, bytes]]) -> Reply:
        with self._lock:
            self.asked.append(asked)
            scripted = self.script(asked) if self.script else None
        if scripted is not None:
            return scripted
        path = asked.path.removeprefix(f"/{VERSION}/")
        if asked.path.startswith("/video-upload/"):
            raise RefuseUpload("ParameterValidationError", "the upload is read elsewhere")
        if path == "oauth/access_token":
            return self._access_token(asked.params)
        if path == "debug_token":
            return self._debug(asked)
        if path == "dialog/oauth":
            return self._login(asked.params)
        token = self._prove(asked)
        with self._lock:
            reply = self._graph(asked.method, path, asked.params, token, files)
        if isinstance(reply.body, dict) and (finished := reply.body.pop("_video", None)):
            self._publish(finished, asked.params)
        reply.headers |= self._usage()
        reply.drop = self._is_dropped(path, asked.params)
        return reply

    def _is_dropped(self, path: str, params: dict[str, str]) -> bool:
        name = params.get("upload_phase") or path.rpartition("/")[2]
        with self._lock:
            if name in self.drop_answers_of:
                self.drop_answers_of.remove(name)
                return True
        return False

    def _usage(self) -> dict[str, str]:
        found = {}
        if self.app_usage:
            found["X-App-Usage"] = json.dumps(self.app_usage)
        if self.page_usage:
            found["X-Business-Use-Case-Usage"] = json.dumps(self.page_usage)
        return found

    def _access_token(self, params: dict[str, str]) -> Reply:
        if params.get("client_id") != APP_ID or params.get("client_secret") != APP_SECRET:
            raise Refuse(101, "Error validating application. Invalid application ID or secret.")
        if "code" in params:
            token = self.codes.pop(params["code"], "")
            if not token or not params.get("redirect_uri"):
                raise Refuse(100, "This authorization code has been used.", 36009)
            return Reply(200, {"access_token": token, "token_type": "bearer", "expires_in": 5400})
        if params.get("grant_type") != "fb_exchange_token":
            raise Refuse(100, "Missing grant type")
        old = self._alive(params.get("fb_exchange_token", ""))
        text = f"EAAlong{hashlib.sha256(f'{params}{self.now()}'.encode()).hexdigest()}"
        self.tokens[text] = Token("USER", old.owner, self.now() + 60 * _DAY_S, old.data_until, old.scopes)
        return Reply(200, {"access_token": text, "token_type": "bearer", "expires_in": 60 * _DAY_S})

    def _alive(self, text: str) -> Token:
        token = self.tokens.get(text)
        if token is None:
            raise Refuse(190, "Invalid OAuth access token - Cannot parse access token", 0)
        if token.dead:
            raise Refuse(token.dead[0], "Error validating access token: it is no longer good.", token.dead[1])
        if token.expires_at and token.expires_at <= self.now():
            raise Refuse(190, "Error validating access token: Session has expired.", 463)
        return token

    def _prove(self, asked: Asked) -> Token:
        token = self._alive(asked.token)
        proof = hmac.new(APP_SECRET.encode(), asked.token.encode(), hashlib.sha256).hexdigest()
        if asked.params.get("appsecret_proof") != proof:
            raise Refuse(100, "API calls from the server require an appsecret_proof argument")
        return token

    def _debug(self, asked: Asked) -> Reply:
        if asked.token != f"{APP_ID}|{APP_SECRET}":
            self._alive(asked.token)
        token = self.tokens.get(asked.params.get("input_token", ""))
        if token is None:
            error = {"code": 190, "message": "Invalid OAuth access token."}
            return Reply(200, {"data": {"is_valid": False, "scopes": [], "error": error}})
        data: dict[str, Any] = {
            "app_id": token.app_id,
            "type": token.kind,
            "application": "Films",
            "expires_at": int(token.expires_at),
            "data_access_expires_at": int(token.data_until),
            "is_valid": True,
            "scopes": list(token.scopes),
            "user_id": "77",
        }
        if token.dead or (token.expires_at and token.expires_at <= self.now()):
            code, subcode = token.dead or (190, 463)
            data |= {"is_valid": False, "error": {"code": code, "subcode": subcode, "message": "it is no longer good"}}
        return Reply(200, {"data": data})

    def _login(self, params: dict[str, str]) -> Reply:
        """What a person does who grants everything."""
        code = f"code{next(self._ids)}"
        self.codes[code] = self.user_token(f"EAAlogin{code}")
        query = urlencode({"code": code, "state": params.get("state", "")})
        return Reply(302, "", {"Location": f"{params['redirect_uri']}?{query}"})

    def _graph(
        self, method: str, path: str, params: dict[str, str], token: Token, files: dict[str, tuple[str, bytes]]
    ) -> Reply:
        head, _, edge = path.partition("/")
        if path == "me/accounts" and method == "GET":
            return self._accounts(token, params)
        if head == "me" and method == "GET":
            page = self.pages.get(token.owner)
            return Reply(200, {"id": page.id, "name": page.name, "category": "Creator"} if page else {"id": "77"})
        if head in self.pages and edge in ("video_reels", "videos"):
            if method == "GET":  # a list, and no session begins
                return Reply(200, {"data": []})
            self._may_publish(token, head)
            return (self._reels if edge == "video_reels" else self._videos)(head, params, files)
        video = self.videos.get(head)
        if video is None:
            raise Refuse(100, f"Unsupported get request. Object with ID '{head}' does not exist", 33)
        if edge == "thumbnails" and method == "POST":
            video.cover = files["source"][1]
            return Reply(200, {"success": True})
        if edge == "captions" and method == "POST":
            name, content = files["captions_file"]
            video.captions[name] = content
            return Reply(200, {"success": True})
        return Reply(200, self._status(video, params.get("fields", "")))

    def _may_publish(self, token: Token, page_id: str) -> None:
        if token.kind == "PAGE" and token.owner != page_id:
            raise Refuse(200, "Permissions error: this token is another page's", status=403)
        if "pages_manage_posts" not in token.scopes:
            raise Refuse(200, "(#200) Requires pages_manage_posts permission", status=403)

    def _accounts(self, token: Token, params: dict[str, str]) -> Reply:
        listed = []
        for page in self.pages.values():
            # Derived from a short-lived token, it ends with that.
            lasting = token.kind != "USER" or token.expires_at - self.now() > 2 * _DAY_S
            text = f"EAApage{page.id}{hashlib.sha256(f'{page.id}{token.owner}{token.expires_at}'.encode()).hexdigest()}"
            until = 0.0 if lasting else token.expires_at
            self.tokens.setdefault(text, Token("PAGE", page.id, until, token.data_until, token.scopes))
            listed.append(
                {"access_token": text, "category": "Creator", "name": page.name, "id": page.id, "tasks": page.tasks}
            )
        start = int(params.get("after") or 0)
        end = start + self.listed_at_once
        part = listed[start:end]
        more = end < len(listed)
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
        return Reply(200, {"data": part, "paging": paging | ({"next": "..."} if more else {})})

    def _reels(self, page_id: str, params: dict[str, str], files: dict[str, tuple[str, bytes]]) -> Reply:
        if params.get("upload_phase") == "start":
            video = Video(str(next(self._ids)), page_id)
            self.videos[video.id] = video
            return Reply(200, {"video_id": video.id, "upload_url": f"{self.url}/video-upload/{VERSION}/{video.id}"})
        video = self._to_finish(params.get("video_id", ""), page_id)
        posted = [one for one in self.posts if one.page == page_id and one.is_reel and one.state == "PUBLISHED"]
        if sum(one.posted_at > self.now() - _DAY_S for one in posted) >= self.most_reels_a_day:
            raise Refuse(100, "The maximum number of Reels of this Page in 24 hours is reached.", 2207042)
        return Reply(200, {"success": True, "post_id": f"{page_id}_{video.id}", "_video": video})

    def _to_finish(self, video_id: str, page_id: str) -> Video:
        video = self.videos.get(video_id)
        if video is None or video.page != page_id:
            raise Refuse(100, "Invalid parameter: no such video", 33)
        if not video.size or len(video.content) < video.size:
            raise Refuse(6000, "Video Upload Is Missing: The video upload is missing.", 1363130)
        return video

    def _videos(self, page_id: str, params: dict[str, str], files: dict[str, tuple[str, bytes]]) -> Reply:
        phase = params.get("upload_phase")
        if phase == "start":
            video = Video(str(next(self._ids)), page_id, size=int(params["file_size"]), is_reel=False)
            video.session = f"s{next(self._ids)}"
            self.videos[video.id] = video
            return Reply(200, {"video_id": video.id, "upload_session_id": video.session, **self._wanted(video)})
        sessions = {one.session: one for one in self.videos.values() if one.session}
        if params.get("upload_session_id") not in sessions:
            raise Refuse(100, "Invalid upload session", 33)
        video = sessions[params["upload_session_id"]]
        if phase == "transfer":
            chunk, wanted = files["video_file_chunk"][1], self._wanted(video)
            # It takes the very chunk that it has asked for, as Meta's own client sends it.
            if [int(params["start_offset"]), len(chunk)] != [
                len(video.content),
                int(wanted["end_offset"]) - len(video.content),
            ]:
                raise Refuse(6001, "Wrong chunk", 1363037, error_data=wanted)
            video.content += chunk
            return Reply(200, self._wanted(video))
        self._to_finish(video.id, page_id)
        return Reply(200, {"success": True, "_video": video})

    def _wanted(self, video: Video) -> dict[str, str]:
        start = len(video.content)
        return {"start_offset": str(start), "end_offset": str(min(start + self.chunk_bytes, video.size))}

    def _publish(self, video: Video, params: dict[str, str]) -> None:
        """Take effect, late, and whether or not anybody is still there to hear it."""
        with self._lock:
            late_s = self.late_s()
        time.sleep(late_s)
        with self._lock:
            default = "PUBLISHED" if params.get("published", "true") == "true" else "DRAFT"
            state = params.get("video_state", "SCHEDULED" if "scheduled_publish_time" in params else default)
            video.finished, video.state, video.fields = True, state, dict(params)
            video.posts += 1
            video.posted_at = self.now()

    def _status(self, video: Video, fields: str) -> dict[str, Any]:
        uploaded = bool(video.size) and len(video.content) >= video.size
        age_s = self.now() - video.posted_at if video.posts else 0.0
        processed = video.finished and age_s >= self.processing_s and not self.fails
        phase = "complete" if processed else "in_progress" if video.finished else "not_started"
        states = {"PUBLISHED": "published", "DRAFT": "draft", "SCHEDULED": "scheduled"}
        publishing: dict[str, Any] = {"status": "complete" if processed else "not_started"}
        if video.finished and processed:
            publishing["publish_status"] = states[video.state]
        status: dict[str, Any] = {
            "video_status": "ready" if processed else "processing" if video.finished else "upload_complete",
            "processing_progress": 100 if processed else int(min(99.0, 100 * age_s / max(self.processing_s, 0.001))),
            "uploading_phase": {
                "status": "complete" if uploaded else "in_progress" if video.content else "not_started",
                self.spelling: len(video.content),
            },
            "processing_phase": {"status": phase},
            "publishing_phase": publishing,
            "copyright_check_status": {"status": "in_progress"},
        }
        if not uploaded:
            status["video_status"] = "uploading"
        if self.fails and video.finished:
            status["video_status"] = "error"
            status["processing_phase"] = {"status": "error", "error": {"code": 1, "message": self.fails}}
        answer: dict[str, Any] = {"status": status, "id": video.id}
        if "published" in fields and not video.is_reel:
            answer["published"] = bool(video.posts and video.state == "PUBLISHED" and processed)
        if "permalink_url" in fields and processed:
            answer["permalink_url"] = f"/{'reel' if video.is_reel else 'watch'}/{video.id}/"
        return answer

    # -- the upload host ----------------------------------------------------------------------------------------------

    def begin_upload(self, path: str, headers: dict[str, str]) -> Video:
        """Check what stands before the bytes of an upload."""
        video = self.videos.get(path.rpartition("/")[2])
        text = headers.get("authorization", "")
        if video is None:
            raise RefuseUpload("InvalidVideoId", "no such video", status=404)
        token = self.tokens.get(text.removeprefix("OAuth "))
        if not text.startswith("OAuth ") or token is None or token.dead:
            raise RefuseUpload("NotAuthorizedError", "OAuth access token is not valid", status=401)
        offset = headers.get("offset", "")
        if not offset.isdecimal() or int(offset) != len(video.content):
            raise RefuseUpload(
                "ParameterValidationError", "HeaderValuePredicate: Header Offset not convertable to unsigned long"
            )
        video.size = int(headers["file_size"])
        return video


class _Handler(BaseHTTPRequestHandler):
    facebook: Facebook
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        if urlsplit(self.path).path.startswith("/video-upload/"):
            self._upload()
            return
        self._handle(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def do_PUT(self) -> None:
        self._write(Reply(404, ""))

    def _handle(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        params = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        fields, files = self._form(body)
        params |= fields
        bearer = re.match(r"(?:Bearer|OAuth) (.+)", self.headers.get("authorization", ""))
        token = bearer[1] if bearer else params.get("access_token", "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self.facebook.answer(Asked(self.command, parts.path, params, token), body, headers, files)
        except (Refuse, RefuseUpload) as exc:
            reply = exc.reply
            reply.headers |= self.facebook._usage()
        self._write(reply)

    def _form(self, body: bytes) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return {n: v[-1] for n, v in parse_qs(body.decode(), keep_blank_values=True).items()}, {}
        if not kind.startswith("multipart/form-data"):
            return {}, {}
        message = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body)
        fields, files = {}, {}
        for part in message.iter_parts():
            assert isinstance(part, EmailMessage)
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if (file_name := part.get_filename()) is None:
                fields[name] = content.decode()
            else:
                files[name] = (file_name, content)
        return fields, files

    def _upload(self) -> None:
        """Take bytes as they come, so that a connection that breaks leaves what has arrived."""
        facebook = self.facebook
        path = urlsplit(self.path).path
        with facebook._lock:
            facebook.asked.append(Asked("POST", path, {}, ""))
            scripted = facebook.script(facebook.asked[-1]) if facebook.script else None
        try:
            if scripted is not None:
                self.rfile.read(int(self.headers.get("content-length", "0")))
                self._write(scripted)
                return
            video = facebook.begin_upload(path, {name.lower(): value for name, value in self.headers.items()})
        except RefuseUpload as exc:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            self._write(exc.reply)
            return
        left = int(self.headers.get("content-length", "0"))
        while left:
            piece = self.rfile.read1(min(left, 16_384))
            if not piece:
                return
            with facebook._lock:
                video.content += piece
                breaks = facebook.upload_breaks_at and len(video.content) >= facebook.upload_breaks_at[0]
                if breaks:
                    facebook.upload_breaks_at.pop(0)
            if breaks:
                self._break()
                return
            left -= len(piece)
        self._write(Reply(200, {"success": True}))

    def _write(self, reply: Reply) -> None:
        if reply.drop:
            self._break()
            return
        raw = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("content-type", "text/html" if isinstance(reply.body, str) else "application/json")
        self.send_header("content-length", str(len(raw)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _break(self) -> None:
        """Reset the connection."""
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: addresses hold tokens."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up early is no error here."""


@contextmanager
def facebook(*, pages: int = 1, port: int = 0, **settings: Any) -> Iterator[Facebook]:
    """A running far side with pages called Page 1, Page 2, ..."""
    far = Facebook(**settings)
    handler = type("Handler", (_Handler,), {"facebook": far})
    server = _Server(("127.0.0.1", port), handler)
    far.url = f"http://127.0.0.1:{server.server_address[1]}"
    for number in range(pages):
        far.page(f"Page {number + 1}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield far
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(port: int) -> None:
    """Run alone until the input ends, for the demo; says where it is and which token to use."""
    rng = random.Random(1)
    with facebook(port=port, processing_s=3.0, late_s=lambda: rng.uniform(0.1, 0.6)) as far:
        far.pages.clear()
        far.page("Vix Demo Page")
        told = {
            "url": far.url,
            "token": far.user_token("EAAdemo" + "0" * 40),
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
