"""The site behind Larder, as the model sees it: it knows of each answer what it was made from.

Pages are at /p/KIND/N; KIND says how they answer (KINDS), N which object they show. A POST to a page changes its object.
Each answer carries the number of its render, so that whoever gets it can ask for what the site saw and when.
"""
import asyncio
import gzip
import itertools
import struct
import time
from dataclasses import dataclass, field
from email.utils import formatdate

OBJECTS = 3
FRESH_S = 1  # max-age of pages
KEPT_S = 8   # max-age of pages that outlive the time within which a purge reaches the other machines


@dataclass(frozen=True)
class Kind:
    """A kind of page. uses: the inputs that its answer depends on and shows."""
    uses: tuple = ()
    fresh_s: int = FRESH_S
    cache_control: str = f"max-age={FRESH_S}"
    vary: str = ""
    sets_cookie: bool = False
    includes: tuple = ()
    filler: int = 0
    framing: str = "length"  # length | chunked | close
    coding: str = ""         # gzip: compressed, whatever the request accepts
    validators: bool = True
    status: int = 200

    @property
    def storable(self):
        return not self.sets_cookie and not any(w in self.cache_control for w in ("no-store", "private"))

    @property
    def shareable(self):
        """Whether an answer to a request with credentials may be stored (RFC 9111 section 3.5)."""
        return self.storable and "public" in self.cache_control


KINDS = {
    "plain": Kind(),
    "kept": Kind(fresh_s=KEPT_S, cache_control=f"max-age={KEPT_S}"),
    "chunked": Kind(framing="chunked", filler=9000),
    "closing": Kind(framing="close", filler=300, validators=False),
    "large": Kind(filler=90_000),
    "too-large": Kind(filler=400_000, framing="chunked"),
    "zipped": Kind(coding="gzip", filler=5000),
    "language": Kind(uses=("lang",)),
    "device": Kind(uses=("device",), vary="X-Device"),
    "grouped": Kind(uses=("group",)),
    "session": Kind(uses=("sid",), cache_control=f"private, max-age={FRESH_S}", filler=200),
    "fixed": Kind(cache_control="no-cache"),
    "secret": Kind(cache_control="no-store", uses=("sid",)),
    "cookie": Kind(sets_cookie=True),
    "missing": Kind(status=404),
    "shared": Kind(uses=("auth",), cache_control=f"public, max-age={FRESH_S}"),
    "page": Kind(includes=(("plain", "continue"), ("language", ""), ("chunked", ""))),
    "mixed": Kind(includes=(("secret", ""), ("plain", "")), filler=3000),
    "nested": Kind(includes=(("page", ""), ("zipped", "continue")), framing="chunked"),
}


@dataclass
class Render:
    """One request that reached the site, and its answer."""
    number: int
    path: str
    method: str
    visitor: str         # from a header that no key covers: only present if the request was not reduced
    seen: dict           # inputs of the request: lang, sid, device, group, auth
    version: int         # of the object, when the render began
    began: float
    kind: Kind = None
    ended: float = 0.0
    fault: str = ""
    status: int = 200
    body: bytes = b""    # before any coding
    parts: list = field(default_factory=list)      # of body: bytes, or (kind, number, onerror) for an include
    confirmed: list = field(default_factory=list)  # times of 304 responses for it
    served_to: set = field(default_factory=set)    # the visits that it was served to

    @property
    def last_confirmed(self):
        return max([self.began, *self.confirmed])


class Site:
    def __init__(self, random, fault_rate=0.0, delay=0.0):
        self.random = random
        self.fault_rate = fault_rate
        self.delay = delay
        self.numbers = itertools.count(1)
        self.renders = {}
        self.versions = {}
        self.faults = []  # [path, from, to]: while an answer of the path may fail

    def version(self, n):
        return self.versions.get(n, 0)

    def change(self, n):
        self.versions[n] = self.version(n) + 1

    # ---- answers

    def begin(self, method, path, headers):
        """Records the request. headers: lower-case name -> value."""
        cookies = dict(pair.strip().split("=", 1) for pair in headers.get("cookie", "").split(";") if "=" in pair)
        seen = {"lang": cookies.get("lang"), "sid": cookies.get("sid"), "device": headers.get("x-device"),
                "group": headers.get("larder-group"), "auth": headers.get("authorization")}
        render = Render(next(self.numbers), path, method, headers.get("x-visitor", ""), seen, 0, time.time())
        self.renders[render.number] = render
        where = path.partition("?")[0].split("/")
        if len(where) == 4 and where[1] == "p" and where[2] in KINDS:
            render.kind, number = KINDS[where[2]], int(where[3])
            if method == "POST":
                self.change(number)
            render.version = self.version(number)
            self.compose(render, number)
        elif path == "/group":
            render.body = (f"g{sum(map(ord, seen['sid'])) % 3}" if seen["sid"] else "").encode()
        else:
            render.status, render.body = 404, b"no such page"
        return render

    def compose(self, render, number):
        kind = render.kind
        shown = " ".join(f"{name}={render.seen[name]}" for name in kind.uses)
        render.parts = [f"[r{render.number} v{render.version} {shown}]".encode()]
        for other, onerror in kind.includes:
            render.parts.append((other, number, onerror))
            render.parts.append(b"|")
        render.parts.append((f"{number:04d} filler\n" * (kind.filler // 12 + 1))[:kind.filler].encode())
        render.parts.append(f"[/r{render.number}]".encode())
        render.status = kind.status
        render.body = b"".join(p if isinstance(p, bytes) else markup(*p) for p in render.parts)

    def headers(self, render):
        kind = render.kind
        headers = [("Date", formatdate(usegmt=True)), ("Content-Type", "text/html; charset=utf-8")]
        if kind is None:
            return headers + [("Cache-Control", "max-age=1")]
        headers.append(("Cache-Control", kind.cache_control))
        if kind.includes:
            headers.append(("Surrogate-Control", f'max-age={FRESH_S}, content="ESI/1.0"'))
        if kind.vary:
            headers.append(("Vary", kind.vary))
        if kind.sets_cookie:
            headers.append(("Set-Cookie", f"track={render.number}; Path=/"))
        if kind.validators and not kind.includes:
            headers.append(("ETag", f'"r{render.number}"'))
        headers.append(("Surrogate-Key", "all object:" + render.path.partition("?")[0].rsplit("/", 1)[1]))
        return headers

    def validated(self, render, headers):
        """The render that the request's condition names, if it is still current: the answer is then a 304."""
        for tag in headers.get("if-none-match", "").split(","):
            tag = tag.strip().removeprefix("W/").strip('"')
            old = self.renders.get(int(tag[1:])) if tag[:1] == "r" and tag[1:].isdigit() else None
            same = old is not None and old.path == render.path and old.version == render.version
            if same and all(old.seen[u] == render.seen[u] for u in render.kind.uses):
                return old
        return None

    async def answer(self, method, path, headers):
        """Returns (status, headers, body, framing, render). The body is None if the fault says so."""
        render = self.begin(method, path, headers)
        if render.kind is not None and self.random.random() < self.fault_rate:
            render.fault = self.random.choice(["close", "cut", "status", "garbage", "slow"])
            self.faults.append([path.partition("?")[0], render.began, float("inf")])
            del self.faults[:-300]
        if self.delay:
            await asyncio.sleep(self.random.random() * self.delay * (20 if render.fault == "slow" else 1))
        fields = self.headers(render)
        kind = render.kind or Kind()
        if render.fault == "status":
            render.status = self.random.choice([500, 502, 503])
            return render.status, [("Cache-Control", "no-store")], b"the site fails", "length", render
        if render.kind is not None and method == "GET":
            old = self.validated(render, headers)
            if old is not None:
                old.confirmed.append(render.began)
                render.status = 304
                fields = [(n, v) for n, v in fields if n not in ("ETag", "Content-Type")] + [("ETag", f'"r{old.number}"')]
                return 304, fields, b"", "none", render
        body = render.body
        if kind.coding == "gzip":
            body = gzip.compress(body, 1, mtime=0)
            fields.append(("Content-Encoding", "gzip"))
        return render.status, fields, body, kind.framing, render

    # ---- on the wire

    async def serve_http(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, version = head[0].split(" ")
                headers = {}
                for line in filter(None, head[1:]):
                    name, _, value = line.partition(":")
                    name = name.lower()
                    headers[name] = headers[name] + ", " + value.strip() if name in headers else value.strip()
                if "content-length" in headers:
                    await reader.readexactly(int(headers["content-length"]))
                keep = await self.send_http(writer, method, target, headers, version)
                if not keep or headers.get("connection", "").lower() == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def send_http(self, writer, method, target, headers, version):
        status, fields, body, framing, render = await self.answer(method, target, headers)
        try:
            return await self.write_http(writer, method, status, fields, body, framing, render, version)
        finally:
            self.end(render)

    def end(self, render):
        render.ended = time.time()
        for fault in self.faults:
            if fault[1] == render.began:
                fault[2] = render.ended

    async def write_http(self, writer, method, status, fields, body, framing, render, version):
        if render.fault == "close":
            return False
        if render.fault == "garbage":
            writer.write(b"\x01\x02 not HTTP at all\r\n\r\n")
            return False
        if framing == "chunked" and version != "HTTP/1.1":
            framing = "close"
        if framing == "length":
            fields.append(("Content-Length", str(len(body))))
        elif framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
            chunk = 7000
            body = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + chunk]), body[i:i + chunk])
                            for i in range(0, len(body), chunk)) + b"0\r\n\r\n"
        elif framing == "close":
            fields.append(("Connection", "close"))
        head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
        if method == "HEAD" or status == 304:
            body = b""  # nothing of it can be cut off: closing the connection now would make the next request fail
        cut = render.fault == "cut" and framing != "close" and body
        writer.write(head.encode() + (body[:len(body) // 2] if cut else body))
        await writer.drain()
        return framing != "close" and not cut

    async def serve_uwsgi(self, reader, writer):
        try:
            _, size, _ = struct.unpack("<BHB", await reader.readexactly(4))
            block, at, variables = await reader.readexactly(size), 0, []
            while at < size:
                length = struct.unpack_from("<H", block, at)[0]
                variables.append(block[at + 2:at + 2 + length].decode("latin-1"))
                at += 2 + length
            environ = dict(zip(variables[::2], variables[1::2]))
            headers = {n[5:].lower().replace("_", "-"): v for n, v in environ.items() if n.startswith("HTTP_")}
            if environ.get("CONTENT_LENGTH"):
                await reader.readexactly(int(environ["CONTENT_LENGTH"]))
            method = environ["REQUEST_METHOD"]
            status, fields, body, _, render = await self.answer(method, environ["REQUEST_URI"], headers)
            if render.fault not in ("close", "garbage"):
                fields.append(("Content-Length", str(len(body)))) if status != 304 else None
                head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
                part = body[:len(body) // 2] if render.fault == "cut" else body
                writer.write(head.encode() + (b"" if method == "HEAD" else part))
                await writer.drain()
            self.end(render)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def markup(kind, number, onerror):
    attribute = f' onerror="{onerror}"' if onerror else ""
    return f'<esi:include src="/p/{kind}/{number}"{attribute}/>'.encode()
