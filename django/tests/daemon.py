"""A fake larderd, on TCP or a unix socket, that records the calls and answers as the test says."""
import json
import socket
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

TOKEN = "only-for-tests"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802, the name http.server wants
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append((self.path, self.headers["Authorization"], body))
        self.server.on_call(body)
        status, answer = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


@contextmanager
def daemon(path=None, answer=(200, b'{"sequence": 7, "purged": 2}'), on_call=lambda body: None):
    """Yields the server: `.url`, `.calls` as (path, Authorization, JSON body). `on_call` runs before it answers."""
    if path:
        server = socketserver.ThreadingUnixStreamServer(path, _Handler)
        server.url = f"unix:{path}"
    else:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler)
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
    server.daemon_threads = True
    server.calls, server.answer, server.on_call = [], answer, on_call
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dripping(pause_s):
    """A fake larderd that sends its answer byte by byte. Yields its URL."""
    ended = threading.Event()

    def answer(listener):
        while not ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(1 << 16)
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
                    if ended.wait(pause_s):
                        return
                    try:
                        client.send(bytes([byte]))
                    except OSError:
                        break

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
