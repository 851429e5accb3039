"""A strict HTTP/1.1 client: one persistent connection; malformed responses are errors."""
import asyncio
import zlib


class Broken(Exception):
    """The connection was closed, or the response was malformed or incomplete."""


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def all(self, name):
        return [v for n, v in self.fields if n == name]

    def get(self, name, default=""):
        values = self.all(name)
        return ", ".join(values) if values else default

    def text(self):
        """The body with its content coding undone."""
        coding = self.get("content-encoding")
        if not coding:
            return self.body
        if coding != "gzip":
            raise Broken(f"a coding that nobody asked for: {coding}")
        try:
            decoder = zlib.decompressobj(31)
            text = decoder.decompress(self.body) + decoder.flush()
        except zlib.error as error:
            raise Broken(f"what says it is gzip is not: {error}") from error
        if not decoder.eof or decoder.unused_data:
            raise Broken("gzip that is cut off or has something after it")
        return text


class Connection:
    def __init__(self, address):
        self.host, _, self.port = address.rpartition(":")
        self.reader = self.writer = None

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def send(self, method, target, headers, body=b""):
        if self.writer is not None and self.reader.at_eof():  # its worker has exited or was killed
            self.close()
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, int(self.port), limit=1 << 20)
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers)]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        await self.writer.drain()

    async def receive(self, method):
        try:
            return await self._receive(method)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            raise Broken(repr(error)) from error

    async def _receive(self, method):
        while True:
            head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
            version, status = head[0].split(" ", 2)[:2]
            if not version.startswith("HTTP/1.") or not status.isdigit():
                raise Broken(f"no status line: {head[0]!r}")
            fields = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in head[1:])]
            answer = Answer(int(status), fields, b"")
            if answer.status >= 200:
                break
        chunked = answer.get("transfer-encoding").lower() == "chunked"
        lengths = answer.all("content-length")
        if len(lengths) > 1 or (lengths and chunked):
            raise Broken(f"ambiguous framing: {fields}")
        keep = answer.get("connection").lower() != "close"
        if method == "HEAD" or answer.status in (204, 304):
            pass
        elif chunked:
            answer.body = await self._chunks()
        elif lengths:
            answer.body = await self.reader.readexactly(int(lengths[0]))
        else:
            answer.body, keep = await self.reader.read(-1), False
        if not keep:
            self.close()
        return answer

    async def _chunks(self):
        body = bytearray()
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            body += await self.reader.readexactly(size)
            if await self.reader.readexactly(2) != b"\r\n":
                raise Broken("a chunk that does not end where it says")
            if size == 0:
                return bytes(body)
