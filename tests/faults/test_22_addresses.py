"""Fault 22: URLs that lead where they must not. No connection is made to a refused address, whatever it is called, who
resolves it and over which redirects it is reached: a canary that listens there counts."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemon.errors import BadUrl, ForbiddenAddress, ForbiddenPort, UrlRefused, VixError
from daemon.outbound.addresses import Guard, is_own, is_public
from daemon.outbound.client import Outbound
from daemon.outbound.sockets import NotReached
from daemon.outbound.urls import parse
from daemon.sources.download import Allowance, download
from tests.fakes.bad_server import FILM, bad_server
from tests.fakes.n8n import n8n

# `{port}` is the canary's. Names mean what NAMES says; everything else is resolved by the system, as it would be.
LOOPBACK = [
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0.0.0.0", "0", "00", "0x0", "0.0"),
    *("2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "017700000001", "0177.0.0.1", "0177.1", "127.0.0x1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::7f00:1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]", "[::ffff:0:127.0.0.1]"),
    *("[2001:0:7f00:1::]", "[2001:0:0:0:0:0:80ff:fffe]", "[::ffff:0.0.0.0]", "[64:ff9b:1::7f00:1]"),
    *("localhost", "LOCALHOST", "localhost.", "loop.test", "loop6.test", "mapped.test", "nat64.test", "mixed.test"),
    *("mixed6.test", "last.test", "1\uff127.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "loop。test"),
]
PRIVATE = [
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "0300.0250.0.1"),
    *("100.64.0.1", "100.127.255.255", "100.100.100.200", "169.254.169.254", "169.254.0.1", "0xa9fea9fe", "2852039166"),
    *("168.63.129.16", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "0.1.2.3"),
    *("[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[5f00::1]"),
    *("[3fff::1]", "[2001:db8::1]", "[100::1]", "[2001:2::1]", "[2001:10::1]", "[2001:20::1]", "[64:ff9b::a00:1]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:a00:1::]", "[2002:a9fe:a9fe::]", "[2002:c0a8:101::]", "[::ffff:10.0.0.1]"),
    *("[::ffff:169.254.169.254]", "[::a00:1]", "[::ffff:0:a00:1]", "[4000::1]", "[8000::1]", "[200::1]"),
    *("metadata.test", "lan.test", "ula.test", "cgnat.test", "teredo.test"),
]
NAMES = {
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "loop.test": ["127.0.0.1"],
    "loop6.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "mixed.test": ["93.184.215.14", "127.0.0.1"],
    "mixed6.test": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
    "last.test": [*["93.184.215.14"] * 20, "127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "lan.test": ["192.168.1.1"],
    "ula.test": ["fd12:3456::1"],
    "cgnat.test": ["100.64.0.1"],
    "teredo.test": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
}
MALFORMED = [
    *("", "x", "/", "//127.0.0.1/", "127.0.0.1:{port}", "http:127.0.0.1", "http:/127.0.0.1", "http:///x", "http://"),
    *("ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/x", "unix:///x", "data:text/plain,x"),
    *("http://user@127.0.0.1/", "http://user:password@127.0.0.1:{port}/", "http://example.org@127.0.0.1:{port}/"),
    *("http://127.0.0.1:{port}\\@example.org/", "http://example.org\\@127.0.0.1/", "http://exa mple.org/"),
    *("http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:99999/", "http://127.0.0.1:-1/"),
    *(
        "http://127.0.0.1:\uff18\uff10/",
        "http://[::1/",
        "http://::1/",
        "http://[::1%25lo]/",
        "http://[::1%lo]/",
        "http://[]/",
    ),
    *(
        "http://127.0.0.1:{port}/\r\nHost: x",
        "http://127.0.0.1:{port}/\n",
        " http://127.0.0.1/",
        "http://%31%32%37.0.0.1/",
    ),
    *("http://127.0.0.1\t/", "http://127.0.0.1\x00/", "http://.../", "http://-/", "http://a..b@c/", "http://\ud800/"),
    *("http://example.org:80:80/", "http://[127.0.0.1]:{port}/x]", "http://host/" + "a" * 9000),
]


def resolve(host: str, port: int) -> Sequence[str]:
    """The names above; of the rest only what is an address in whatever dress, so that nobody is asked."""
    if host in NAMES:
        return NAMES[host]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(entry[4][0]) for entry in found]


class Canary:
    """Listens on every address of the machine and counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    listening = Canary()
    yield listening
    # A connection that was made is in the count by now, as this one is.
    before = listening.connections
    with socket.create_connection(("127.0.0.1", listening.port), 5) as probe:
        probe.settimeout(10)
        assert probe.recv(1) == b""
    assert listening.connections == before + 1
    listening.close()


def post(outbound: Outbound, url: str) -> int:
    return outbound.post(parse(url), b"{}", {}, total_s=10, most_bytes=1000).status


def url_of(host: str, port: int) -> str:
    return f"http://{host}:{port}/"


def test_there_are_as_many_as_was_agreed() -> None:
    assert len({*LOOPBACK, *PRIVATE, *MALFORMED}) >= 120


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
def test_no_packet_leaves_for(canary: Canary, host: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        post(Outbound(Guard(), resolve=resolve), url_of(host, canary.port))
    assert caught.type in (ForbiddenAddress, BadUrl)
    assert caught.type is ForbiddenAddress or not host.isascii()
    assert canary.connections == 0


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_url_is_refused(canary: Canary, text: str) -> None:
    with pytest.raises(BadUrl) as caught:
        post(Outbound(Guard(["127.0.0.1", "::1"]), resolve=resolve), text.replace("{port}", str(canary.port)))
    assert "password@" not in str(caught.value)
    assert canary.connections == 0


@pytest.mark.parametrize("host", [host for host in (*LOOPBACK, *PRIVATE) if host.isascii()])
def test_no_redirect_leads_to(canary: Canary, tmp_path: Path, host: str) -> None:
    with bad_server("127.0.0.3") as server:
        server.redirect_to = url_of(host, canary.port)
        outbound = Outbound(Guard(["127.0.0.3"]), resolve=resolve)
        with pytest.raises(UrlRefused):
            download(outbound, server.url("redirect"), tmp_path / "film", Allowance(10**6, 10, keep_free_bytes=0))
        assert server.asked["redirect"] == 1
    assert canary.connections == 0


def test_a_name_that_means_something_else_a_moment_later(canary: Canary) -> None:
    """What was checked is what is called: the resolver is asked once."""
    asked = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.3"] if len(asked) == 1 else ["127.0.0.1"]

    with n8n(host="127.0.0.3") as allowed:
        outbound = Outbound(Guard(["127.0.0.3"]), resolve=rebinding)
        assert post(outbound, url_of("rebind.test", allowed.port)) == 200
        assert (len(asked), len(allowed.heard)) == (1, 1)
        with pytest.raises(ForbiddenAddress):
            post(outbound, url_of("rebind.test", canary.port))
    assert len(asked) == 2
    assert canary.connections == 0


def test_proxies_of_the_environment_are_not_asked(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    with n8n(host="127.0.0.3") as allowed:
        assert post(Outbound(Guard(["127.0.0.3"])), f"{allowed.url}/x") == 200
        assert len(allowed.heard) == 1
    assert canary.connections == 0


@pytest.mark.parametrize(
    ("private_hosts", "url"),
    [
        (["127.0.0.1"], "http://127.0.0.1:{port}/"),
        (["127.0.0.0/8"], "http://127.0.0.1:{port}/"),
        (["127.0.0.1"], "http://loop.test:{port}/"),
        (["127.0.0.1"], "http://[::ffff:127.0.0.1]:{port}/"),
        (["loop.test"], "http://loop.test:{port}/"),
        (["LOOP.test."], "http://Loop.TEST:{port}/"),
        (["loop.test"], "http://loop.test.:{port}/"),
        (["10.0.0.0/8", "n8n.test", "127.0.0.1"], "http://0x7f.1:{port}/"),
    ],
)
def test_what_an_operator_names_is_called(private_hosts: list[str], url: str) -> None:
    names = {**NAMES, "loop.test.": ["127.0.0.1"]}
    outbound = Outbound(Guard(private_hosts), resolve=lambda host, port: names.get(host) or resolve(host, port))
    with n8n() as receiver:
        assert post(outbound, url.replace("{port}", str(receiver.port))) == 200


@pytest.mark.parametrize(
    ("private_hosts", "host"),
    [
        (["loop.test"], "127.0.0.1"),  # the name, not what it means
        (["127.0.0.1"], "mixed6.test"),
        (["127.0.0.1"], "[64:ff9b::7f00:1]"),
        (["127.0.0.2"], "127.0.0.1"),
        (["10.0.0.0/8"], "mixed.test"),
        (["test"], "loop.test"),
        (["loop.test"], "loop.test.example"),
    ],
)
def test_and_nothing_else(canary: Canary, private_hosts: list[str], host: str) -> None:
    names = {**NAMES, "loop.test.example": ["127.0.0.1"]}
    outbound = Outbound(Guard(private_hosts), resolve=lambda host, port: names.get(host) or resolve(host, port))
    with pytest.raises(ForbiddenAddress) as caught:
        post(outbound, url_of(host, canary.port))
    assert "VIX_PRIVATE_HOSTS" in str(caught.value)
    assert canary.connections == 0


@pytest.mark.parametrize(
    "text",
    [
        *("93.184.215.14", "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1"),
        *("192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "169.253.0.1", "168.63.129.17", "11.0.0.1"),
        *("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001:831::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"),
        *("2002:808:808::1", "2001:4860:4860::8888", "2003::1"),
    ],
)
def test_the_rest_of_the_world_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    Guard(own=lambda address: False).check("example.org", 443, [text])


@pytest.mark.parametrize(
    ("port", "allowed"),
    [(80, True), (443, True), (1024, True), (5678, True), (65535, True)]
    + [(port, False) for port in (1, 21, 22, 23, 25, 53, 81, 110, 139, 445, 465, 587, 1023)],
)
def test_ports_of_public_hosts(port: int, allowed: bool) -> None:
    guard = Guard(["192.168.1.0/24", "n8n.lan"], own=lambda address: False)
    guard.check("n8n.lan", port, ["10.0.0.1"])
    guard.check("whatever.lan", port, ["192.168.1.7"])
    if allowed:
        guard.check("example.org", port, ["8.8.8.8"])
    else:
        with pytest.raises(ForbiddenPort):
            guard.check("example.org", port, ["8.8.8.8"])


def test_own_addresses_are_known_without_a_packet() -> None:
    """Loopback stands in for an address of this machine that is public: the question to the kernel is the same."""
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert is_own(ipaddress.ip_address("127.9.9.9"))
    assert not is_own(ipaddress.ip_address("8.8.8.8"))
    with pytest.raises(ForbiddenAddress):
        Guard(own=lambda address: True).check("our-own-name.example", 443, ["8.8.8.8"])


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "0x7f.1", "2130706433", "[::1]", "10.0.0.1"])
def test_a_user_is_told_early(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        Guard().check_url(f"http://{host}:5678/webhook")
    Guard([host, "127.0.0.0/8"]).check_url(f"http://{host}:5678/webhook")


def test_names_are_not_resolved_early() -> None:
    Guard().check_url("https://no-such-name.invalid/x")


@contextmanager
def tls_server(folder: Path, name: str, address: str) -> Iterator[tuple[int, ssl.SSLContext, list[str]]]:
    """A server with a certificate for `name`: its port, who trusts it, and the names it was asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "pem"
    no_password = serialization.NoEncryption()
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    asked: list[str] = []
    context.sni_callback = lambda sock, server_name, ctx: asked.append(server_name or "")
    listener = socket.create_server((address, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FILM) + FILM)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], ssl.create_default_context(cafile=str(pem)), asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_tls_keeps_the_name(tmp_path: Path) -> None:
    """The checked address is called, and still it is the name that has to be in the certificate."""
    allowance = Allowance(10**6, 30, keep_free_bytes=0, tries=1)
    with tls_server(tmp_path, "films.test", "127.0.0.3") as (port, trust, asked):
        outbound = Outbound(Guard(["127.0.0.3"]), resolve=lambda host, port: ["127.0.0.3"], trust=trust)
        assert download(outbound, f"https://films.test:{port}/x", tmp_path / "film", allowance) == len(FILM)
        with pytest.raises(NotReached, match="certificate"):
            download(outbound, f"https://other.test:{port}/x", tmp_path / "film2", allowance)
        stranger = Outbound(Guard(["127.0.0.3"]), resolve=lambda host, port: ["127.0.0.3"])
        with pytest.raises(NotReached, match="certificate"):
            download(stranger, f"https://films.test:{port}/x", tmp_path / "film3", allowance)
    assert asked == ["films.test", "other.test", "films.test"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_that_means_nothing_may_mean_something_later(error: Exception) -> None:
    def fails(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(NotReached, match="could not be resolved") as caught:
        post(Outbound(Guard(), resolve=fails), "http://n8n.example/x")
    assert caught.value.permanent is False


def test_a_resolver_that_does_not_answer() -> None:
    ended = threading.Event()

    def sleeps(host: str, port: int) -> Sequence[str]:
        ended.wait(30)
        return []

    with pytest.raises(VixError, match=r"in time|took longer"):
        Outbound(Guard(), resolve=sleeps).post(parse("http://n8n.example/"), b"", {}, total_s=0.2, most_bytes=1)
    ended.set()
