"""A client of larderd's HTTP API, over TCP or a unix socket. A deadline bounds each call as a whole, whatever larderd does. After a
failure, a circuit breaker makes further calls fail at once for a while."""
import http.client
import io
import json
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

MAX_ANSWER_BYTES = 1 << 20


class DaemonError(Exception):
    """larderd could not be reached or has refused the call; the text says which. `refused`: the call is wrong, so that repeating
    it is of no use."""

    def __init__(self, text, refused=False):
        super().__init__(text)
        self.refused = refused


def parse_url(url):
    """Returns ("unix", path), or ("http" or "https", host, port). Raises ValueError for any other URL."""
    if url.startswith("unix:"):
        path = url[len("unix:"):]
        if not path.startswith("/"):
            raise ValueError(f"{url!r}: a socket is given as unix:/absolute/path")
        return "unix", path
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"{url!r}: must be http://HOST:PORT, https://HOST:PORT or unix:/path")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


class Breaker:
    """A circuit breaker. After a failure it admits no calls for a pause, then one at a time. Each failure doubles the pause."""

    FIRST_S = 1.0
    LONGEST_S = 30.0

    def __init__(self):
        self._lock = threading.Lock()
        self._pause = 0.0
        self._until = 0.0

    def left(self):
        """Seconds until the next call may be admitted."""
        return max(0.0, self._until - time.monotonic())

    def admit(self):
        """Whether the caller may make a call. If so, it must report the outcome by succeeded() or failed()."""
        with self._lock:
            if self.left() > 0:
                return False
            self._until = time.monotonic() + self._pause
            return True

    def succeeded(self):
        with self._lock:
            self._pause = self._until = 0.0

    def failed(self):
        with self._lock:
            self._pause = min(max(self.FIRST_S, self._pause * 2), self.LONGEST_S)
            self._until = time.monotonic() + self._pause


_breakers = {}


def breaker_of(url):
    return _breakers.setdefault(url, Breaker())


class Daemon:
    """One larderd. Thread-safe: each call opens a connection of its own, as calls are rare."""

    def __init__(self, url, token="", timeout=1.0):
        self.target = parse_url(url)
        self.token = token
        self.timeout = timeout

    def purge(self, tags=(), urls=(), mode="soft", position="", deadline=None):
        """Marks entries stale (mode "soft") or gone ("hard"). Returns larderd's answer: "sequence" of the purge, "purged": the number of
        tags and URLs, "stores_waiting". Raises DaemonError. `deadline`: by time.monotonic(), in addition to the timeout."""
        body = {"tags": list(tags), "urls": list(urls), "mode": mode}
        if position:
            body["position"] = position
        return self._post("/v1/purge", body, deadline)

    def _post(self, path, body, deadline):
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        ours = time.monotonic() + self.timeout
        deadline = ours if deadline is None else min(ours, deadline)
        try:
            with _connected(self.target, deadline) as sock:
                connection = http.client.HTTPConnection(*(self.target[1:] if self.target[0] != "unix" else ("localhost",)))
                connection.sock = _Bounded(sock, deadline)
                connection.request("POST", path, json.dumps(body).encode(), headers)
                response = connection.getresponse()
                answer = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:  # the last two: an impossible TOKEN or TIMEOUT
            raise DaemonError(f"larderd at {':'.join(map(str, self.target))}: {error or type(error).__name__}") from error
        if response.status != 200:
            text = answer[:300].decode(errors="replace").strip()
            raise DaemonError(f"larderd answered {response.status}: {text}", refused=response.status in (400, 413, 414, 422))
        try:
            return json.loads(answer)
        except ValueError as error:
            raise DaemonError(f"larderd answered 200 with something that is not JSON: {answer[:80]!r}") from error


def _left(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _connected(target, deadline):
    if target[0] == "unix":
        return _connect(socket.AF_UNIX, target[1], deadline)
    failure = OSError(f"{target[1]} has no address")
    for family, _, _, _, address in socket.getaddrinfo(*target[1:], type=socket.SOCK_STREAM):
        try:
            sock = _connect(family, address, deadline)
            break
        except OSError as error:
            failure = error
    else:
        raise failure
    if target[0] == "http":
        return sock
    try:
        sock.settimeout(_left(deadline))
        return ssl.create_default_context().wrap_socket(sock, server_hostname=target[1])
    except BaseException:
        sock.close()
        raise


def _connect(family, address, deadline):
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(_left(deadline))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


class _Bounded:
    """Wraps a socket for http.client, so that one deadline applies to the whole call. (A socket's own timeout starts again with each
    byte.)"""

    def __init__(self, sock, deadline):
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data):
        data = memoryview(data)
        while data:
            self._sock.settimeout(_left(self._deadline))
            data = data[self._sock.send(data):]

    def makefile(self, *_):
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self):
        """Does nothing: http.client calls it before the answer is read. _post() closes the socket."""


class _Reader(io.RawIOBase):
    def __init__(self, sock, deadline):
        self._sock = sock
        self._deadline = deadline

    def readable(self):
        return True

    def readinto(self, buffer):
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)
