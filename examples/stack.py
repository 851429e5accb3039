"""The demo's private stack: every server it needs, on ports of its own, in one directory, and each can be killed and revived."""
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
SITE = EXAMPLES / "classifieds"
PYTHON = "/usr/bin/python3"  # Debian's, which has Django
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
BUILT = {  # where each part is, unless the environment says otherwise
    "LARDER_MODULE": "build/release/ngx_module/ngx_http_larder_module.so",
    "LARDERD": "build/release/daemon/larderd",
    "LARDERCTL": "build/release/daemon/larderctl",
}


class StackError(Exception):
    """The stack can't be started; the text says why."""


def until(condition, seconds):
    """Asks every 10 ms; the first true answer, or the last false one when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.01)


class Port:
    """A port of ours: bound, so that nobody else gets it, but not listening, so that our server can take it, repeatedly."""

    def __init__(self, number=0, address="127.0.0.1"):
        self.socket = socket.socket()
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):  # a server sets one or the other
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            self.socket.bind((address, number))
        except OSError as error:
            raise StackError(f"{address}, port {number}: {error.strerror}") from error
        self.number = self.socket.getsockname()[1]

    def __str__(self):
        return f"127.0.0.1:{self.number}"

    def answers(self):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.number)) == 0


class Server:
    """One program in a process group of its own."""

    def __init__(self, name, command, port, log, environment, directory):
        self.name, self.command, self.port, self.log = name, command, port, log
        self.environment, self.directory = environment, directory
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        if not until(lambda: self.process.poll() is not None or self.port.answers(), START_TIMEOUT_S) or not self.runs():
            self.kill()
            raise StackError(f"{self.name} did not start:\n{self.tail()}")

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """As an operator would; after 15 s as a crash would."""
        if self.runs():
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                print(f"{self.name} has not stopped within {STOP_TIMEOUT_S} s and is killed")
        self.kill()

    def kill(self):
        """kill -9 of all its processes."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def tail(self, lines=15):
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-lines:])


class Stack:
    def __init__(self, port=0, address="127.0.0.1"):
        self.built = self.find_built()
        self.directory = Path(tempfile.mkdtemp(prefix="larder-demo-"))
        self.directory.chmod(0o755)  # for servers that run as somebody else
        self.token, self.key = secrets.token_hex(16), secrets.token_hex(32)
        self.ports = {name: Port() for name in ("redis", "memcached", "site", "larderd")}
        self.ports["nginx"] = Port(port, address)
        self.listen = f"{address}:{self.ports['nginx'].number}"
        self.servers = {}
        self.rig = None

    @property
    def address(self):
        return f"http://{self.ports['nginx']}"

    @staticmethod
    def find_built():
        found = {name: Path(os.environ.get(name) or ROOT / path) for name, path in BUILT.items()}
        missing = [f"{name}={path}" for name, path in found.items() if not path.exists()]
        if missing:
            raise StackError(f"not built: {', '.join(missing)}; `make build` builds them, or set these variables")
        return found

    # -- start and stop -----------------------------------------------------------------------------------------------
    def start(self, say):
        say("PostgreSQL primary and two streaming replicas")
        self.pg_rig("start", "--replicas", "2")
        lines = (self.directory / "pg" / "rig.env").read_text()
        self.rig = dict(line.split("=", 1) for line in shlex.split(lines))
        say("the site's 200 listings")
        self.manage("migrate", "--verbosity", "0")
        self.manage("seed")
        for name, command in self.commands().items():
            say(name)
            log = self.directory / f"{name}.log"
            environment = self.site_environment() if name == "site" else dict(os.environ)
            directory = SITE if name == "site" else self.directory
            self.servers[name] = Server(name, command, self.ports[name], log, environment, directory)
            self.servers[name].start()

    def commands(self):
        """In the order they start; every one after those it needs."""
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        return {
            "redis": ["redis-server", "--bind", "127.0.0.1", "--port", self.port("redis"), "--save", "", "--maxmemory", "64mb",
                      "--maxmemory-policy", "volatile-lru", "--dir", str(self.directory)],
            "memcached": ["memcached", "-l", "127.0.0.1", "-p", self.port("memcached"), "-U", "0", *as_nobody],
            "site": [PYTHON, "-m", "gunicorn", "-c", str(SITE / "gunicorn.conf.py")],
            "larderd": [str(self.built["LARDERD"]), "-c", self.configuration("larderd.toml")],
            "nginx": ["nginx", "-c", self.configuration("nginx.conf"), "-p", str(self.directory), "-e",
                      str(self.directory / "nginx.error.log"), "-g", "daemon off;"],
        }

    def stop(self):
        for server in reversed(list(self.servers.values())):
            server.stop()
        if (self.directory / "pg" / "rig.env").exists():
            self.pg_rig("stop")

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def __getitem__(self, name):
        return self.servers[name]

    # -- details ------------------------------------------------------------------------------------------------------
    def port(self, name):
        return str(self.ports[name].number)

    def configuration(self, name):
        """Fills the template NAME.in and returns the path of the result."""
        values = {name: str(port) for name, port in self.ports.items()}
        values.update(listen=self.listen, dir=str(self.directory), module=str(self.built["LARDER_MODULE"].resolve()), token=self.token, key=self.key,
                      user="user nobody nogroup;" if os.geteuid() == 0 else "",
                      **{f"{node}_dsn": self.rig[f"PG_{node.upper()}_DSN"].replace("user=larder", "user=larder_monitor")
                         for node in ("primary", "r1", "r2")})
        for directory in ("nginx", "prerendered"):
            (self.directory / directory).mkdir(exist_ok=True)
        text = (EXAMPLES / f"{name}.in").read_text()
        path = self.directory / name
        path.write_text(re.sub(r"@([a-z0-9_]+)@", lambda found: values[found[1]], text))
        return str(path)

    def site_environment(self):
        return {**os.environ, **self.rig, "SITE_BIND": str(self.ports["site"]), "SITE_WORKERS": "4", "PYTHONDONTWRITEBYTECODE": "1",
                "LARDER_KEY": self.key, "LARDER_TOKEN": self.token, "LARDER_DAEMON": f"http://{self.ports['larderd']}"}

    def manage(self, *arguments):
        return self.run([PYTHON, "manage.py", *arguments], cwd=SITE, env=self.site_environment())

    def pg_rig(self, command, *arguments):
        return self.run([str(ROOT / "tools" / "pg-rig"), command, str(self.directory / "pg"), *map(str, arguments)])

    def larderctl(self, *arguments):
        environment = {**os.environ, "LARDER_API": str(self.ports["larderd"]), "LARDER_TOKEN": self.token}
        return self.run([str(self.built["LARDERCTL"]), *arguments], env=environment)

    @staticmethod
    def run(command, **options):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise StackError(f"{' '.join(map(str, command))} failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")
        return done.stdout
