"""A set of configurations that covers every pair of choices, and the configuration files of nginx and larderd for each."""
import itertools

CHOICES = {
    "store": ["near", "redis", "redis near=off", "memcached", "memcached near=off"],
    "esi": ["off", "auto", "on"],
    "vary": ["refuse", "key"],
    "session": ["dropped", "presence", "private", "bypass"],
    "language": ["dropped", "value"],
    "authorization": ["bypass", "shared"],
    "group": [False, True],
    "encoding": ["off", "gzip"],
    "gzip": [False, True],
    "control": [False, True],
    "revalidate": ["on", "off"],
    "stale": ["while=3s error=10s", "never", "while=0s error=10s"],
    "lock": ["5s", "off", "50ms store=off"],
    "refresh": ["inline", "off", "daemon"],
    "handler": ["proxy", "unbuffered", "uwsgi"],
    "machines": [1, 2],
    "workers": [1, 2],
    "invalidate": ["on", "soft"],
}


def is_legal(c):
    if c["store"] == "near" and (c["machines"] == 2 or c["refresh"] == "daemon"):
        return False
    if c["handler"] == "uwsgi" and c["refresh"] == "daemon":
        return False
    return True


def pairs_of(c):
    return {((a, c[a]), (b, c[b])) for a, b in itertools.combinations(CHOICES, 2)}


def all_pairs(random):
    """A list of legal configurations in which each legal pair of choices occurs."""
    wanted = set()
    for a, b in itertools.combinations(CHOICES, 2):
        wanted |= {((a, x), (b, y)) for x in CHOICES[a] for y in CHOICES[b]}
    chosen, barren = [], 0
    while wanted and barren < 300:
        candidates = []
        for _ in range(40):
            c = {name: random.choice(values) for name, values in CHOICES.items()}
            for (a, x), (b, y) in random.sample(sorted(wanted, key=repr), min(2, len(wanted))):
                c[a], c[b] = x, y
            if is_legal(c):
                candidates.append(c)
        best = max(candidates, key=lambda c: len(pairs_of(c) & wanted), default=None)
        if best is None or not pairs_of(best) & wanted:
            barren += 1
            continue
        wanted -= pairs_of(best)
        chosen.append(best)
    return chosen


def nginx(c, machine):
    """The contents of http { } for the nginx with this number, as a template of the test harness."""
    store = {"near": "near", "redis": "main", "memcached": "main"}.get(c["store"], "main near=off")
    kind = "redis" if c["store"].startswith("redis") else "memcached"
    lines = ["larder_signing_key 0123456789abcdef0123456789abcdef;", "larder_zone 16m;", "upstream site { server @site@; keepalive 8; }",
             "upstream gateway { server @gateway@; }"]
    if c["store"] != "near":
        lines.append(f"larder_store main {kind}://@{kind}@ timeout=1s;")
    if c["refresh"] == "daemon":
        lines.append("larder_daemon unix:@dir@/jobs.sock timeout=1s;")
    if c["gzip"]:
        lines += ["gzip on;", "gzip_types *;", "gzip_min_length 1;"]
    lines += [
        "server {", f"listen @nginx{machine}@;", f"larder {store};", f"larder_esi {c['esi']};",
        f"larder_vary {c['vary']};", f"larder_authorization {c['authorization']};", f"larder_encoding {c['encoding']};",
        f"larder_request_control {'on' if c['control'] else 'off'};", f"larder_revalidate {c['revalidate']};",
        f"larder_stale {c['stale']};", f"larder_lock {c['lock']};",
        f"larder_refresh {c['refresh']};",
        f"larder_invalidate {c['invalidate']};", "larder_max_size 200k;",
    ]
    if c["session"] != "dropped":
        lines.append(f"larder_cookie sid {c['session']};")
    if c["language"] == "value":
        lines.append("larder_cookie lang value allow=de,fr default=en;")
    if c["group"]:
        lines.append("larder_group /group cookie=sid valid=5s;")
    uwsgi = ["uwsgi_pass gateway;"] + [f"uwsgi_param {n} ${v};" for n, v in (
        ("REQUEST_METHOD", "request_method"), ("REQUEST_URI", "request_uri"), ("QUERY_STRING", "args"),
        ("CONTENT_LENGTH", "content_length"))]
    http = ["proxy_pass http://site;", "proxy_http_version 1.1;", 'proxy_set_header Connection "";',
            "proxy_set_header Host $http_host;", "proxy_read_timeout 3s;"]
    handler = uwsgi if c["handler"] == "uwsgi" else http
    if c["handler"] == "unbuffered":
        handler = handler + ["proxy_buffering off;"]
    lines += ["location / {", *handler, "}"]
    lines += ["location = /group { internal;", *handler, "}"]
    lines += ["location = /purge { larder_purge; }", "}"]
    return "\n".join(lines) + "\n"


def larderd(c):
    if c["refresh"] != "daemon":
        return ""
    kind = "redis" if c["store"].startswith("redis") else "memcached"
    return f"""
        [api]
        listen = "@larderd@"
        token = "a-token-for-tests"
        [queue]
        url = "unix:@dir@/jobs.sock"
        socket_mode = "0666"
        retry_first = "50ms"
        lease = "2s"
        [[store]]
        name = "main"
        url = "{kind}://@{kind}@"
        [[backend]]
        name = "site"
        hosts = ["*"]
        url = "http://@site@"
    """
