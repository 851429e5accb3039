"""A client of larderd's HTTP API, over TCP or a unix socket."""
import http.client
import json
import socket
from urllib.parse import urlsplit

MAX_ANSWER_BYTES = 1 << 20


class DaemonError(Exception):
    """larderd could not be reached, or refused; the text says which."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def parse_url(url):
    """("unix", path), or ("http"|"https", host, port). ValueError for anything else."""
    if url.startswith("unix:"):
        path = url[len("unix:"):]
        if not path.startswith("/"):
            raise ValueError(f"{url!r}: a socket is given as unix:/absolute/path")
        return "unix", path
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"{url!r}: must be http://HOST:PORT, https://HOST:PORT or unix:/path")
    return parts.scheme, parts.hostname, parts.port


class Daemon:
    """One larderd. Every call opens a connection of its own: calls are rare and may come from any thread."""

    def __init__(self, url, token="", timeout=1.0):
        self.target = parse_url(url)
        self.token = token
        self.timeout = timeout

    def purge(self, tags=(), urls=(), mode="soft", position=""):
        """Marks entries stale ("soft") or gone ("hard"); returns {"sequence": N, "purged": n}. DaemonError if it can't."""
        body = {"tags": list(tags), "urls": list(urls), "mode": mode}
        if position:
            body["position"] = position
        return self._post("/v1/purge", body)

    def _connection(self):
        if self.target[0] == "unix":
            return _UnixConnection(self.target[1], self.timeout)
        kind = http.client.HTTPSConnection if self.target[0] == "https" else http.client.HTTPConnection
        return kind(self.target[1], self.target[2], timeout=self.timeout)

    def _post(self, path, body):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = self._connection()
        try:
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise DaemonError(f"larderd at {':'.join(map(str, self.target))}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise DaemonError(f"larderd answered {response.status}: {answer[:300].decode(errors='replace').strip()}")
        try:
            return json.loads(answer)
        except ValueError as error:
            raise DaemonError(f"larderd answered 200 with something that is not JSON: {answer[:80]!r}") from error
