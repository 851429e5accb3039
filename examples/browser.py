"""A small HTTP client that behaves like one visitor: cookies, redirects, forms, and how long each answer took."""
import html
import http.client
import re
import time
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 30


class Answer:
    def __init__(self, path, status, headers, body, seconds):
        self.path, self.status, self.headers, self.body, self.seconds = path, status, headers, body, seconds

    @property
    def larder(self):
        """How nginx answered: HIT, STALE, MISS ... ("" when it doesn't say)."""
        return self.headers.get("X-Larder", "")

    @property
    def rendered(self):
        """When and by which database the page (not its parts) was rendered."""
        return f"{self.headers.get('X-Rendered-At', '?')} by {self.headers.get('X-Rendered-By', '?')}"

    @property
    def by(self):
        return self.headers.get("X-Rendered-By", "")

    @property
    def title(self):
        found = re.search(r"<h1>(.*?)</h1>", self.body)
        return html.unescape(found[1]) if found else ""

    def __str__(self):
        return f"{self.status} {self.larder or '-'} in {self.seconds * 1000:.1f} ms"


class Browser:
    """One visitor of the site at `port` on this machine. Not for several threads."""

    def __init__(self, port):
        self.port = port
        self.cookies = {}

    def get(self, path, **headers):
        """One request, redirects not followed. OSError or HTTPException when there is no answer."""
        return self.request("GET", path, None, headers)

    def post(self, path, fields):
        """Fetches the form at `path`, fills it in, sends it with its CSRF token, and follows the redirect."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).body)
        if not token:
            raise ValueError(f"{path} shows no form with a CSRF token")
        body = urlencode({"csrfmiddlewaretoken": token[1], **fields})
        answer = self.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        return self.get(urlsplit(answer.headers["Location"]).path) if answer.status == 302 else answer

    def request(self, method, path, body, headers):
        if self.cookies:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        started = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        self.keep_cookies(response.headers.get_all("Set-Cookie") or ())
        return Answer(path, response.status, response.headers, text, time.perf_counter() - started)

    def keep_cookies(self, lines):
        for line in lines:
            for name, cookie in SimpleCookie(line).items():
                if cookie["max-age"] == "0" or not cookie.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = cookie.value
