"""The contract: which answers to a request are right, given a configuration and everything that has happened before.

It doesn't know how Larder works. It judges by the numbers of the renders that an answer consists of; the site has recorded what each
render has read, and when.
"""
import re
from dataclasses import dataclass, field

from origin import KINDS, OBJECTS, markup

SLACK_S = 1.0   # lifetimes are whole seconds
TOLD_S = 5.0    # time within which a purge reaches the other machines
RENDER = re.compile(rb"\[r(\d+) ")


@dataclass
class Visit:
    """One request of a visitor, with the times when it was sent and answered."""
    number: int
    machine: int
    method: str
    kind: str
    object: int
    inputs: dict                     # lang, sid, device, auth, as sent; None: not sent
    headers: list = field(default_factory=list)
    sent: float = 0.0
    answered: float = 0.0

    @property
    def path(self):
        return f"/p/{self.kind}/{self.object}"


@dataclass
class Purge:
    """After it has returned, no version of the object below `version` may be served on `machine`, or, if soft, only as stale."""
    machine: int
    object: int
    path: str      # empty: all pages of the object
    version: int
    hard: bool
    called: float
    returned: float


class Contract:
    def __init__(self, configuration, site):
        self.c = configuration
        self.site = site
        self.purges = []
        self.disturbed = []   # (from, to): times when a part was down, a worker died, or nginx was reloaded
        self.losses = []      # times when a store was killed and lost its data
        words = dict(w.split("=") for w in self.c["stale"].split() if "=" in w)
        self.while_s = float(words.get("while", "0s")[:-1])
        self.error_s = float(words.get("error", "0s")[:-1])

    # ---- recording

    def faults_about(self, path, visit):
        """Whether a render of the path failed that this visit may have waited for."""
        return self.is_disturbed(visit) or any(
            fault_path == path and began <= visit.answered and ended >= visit.sent - 0.5
            for fault_path, began, ended in self.site.faults)

    def is_disturbed(self, visit):
        return any(began <= visit.answered and ended >= visit.sent for began, ended in self.disturbed)

    def told(self, purge):
        """When the purge must have reached the other machines. A store that was killed may have lost it before."""
        if any(when >= purge.called for when in self.losses):
            return float("inf")
        told = purge.returned + TOLD_S
        for began, ended in self.disturbed:
            if began <= told and ended >= purge.called:
                told = max(told, ended + TOLD_S)
        return told

    # ---- judging

    def judge(self, visit, answer):
        """Judges the answer. Returns a list of errors."""
        wrong = list(self.wrong_fields(visit, answer))
        if answer.status == 304:
            return wrong + self.judge_not_modified(visit, answer)
        if answer.status >= 500:
            failed = any(self.faults_about(p, visit) for p in self.paths_of(visit.kind, visit.object))
            only_cached = answer.status == 504 and self.c["control"] and any("only-if-cached" in v for _, v in visit.headers)
            return wrong + ([] if failed or only_cached else [f"status {answer.status} though nothing failed"])
        if visit.method == "HEAD":
            return wrong
        if answer.status == 416:
            return wrong + ([] if any(n == "Range" for n, _ in visit.headers) else ["416 without a Range"])
        if answer.status == 206:
            return wrong + self.judge_range(visit, answer)
        used, problems = self.parse(visit, answer.text())
        wrong += problems
        for depth, render in used:
            wrong += [f"{text} (render {render.number} of {render.path})" for text in self.judge_render(visit, answer, render, depth)]
        if used:
            top = used[0][1]
            expected = top.kind.status
            if answer.status != expected:
                wrong.append(f"status {answer.status} in the place of {expected}")
            cookies = answer.all("set-cookie")
            if any(c.split(";")[0] != f"track={top.number}" or not top.kind.sets_cookie for c in cookies):
                wrong.append(f"another's cookie: {cookies}")
            if top.kind.sets_cookie and not cookies:
                wrong.append("the cookie is lost")
            tag = answer.get("etag")
            if tag and not top.kind.includes and tag.removeprefix("W/") != f'"r{top.number}"':
                wrong.append(f"ETag {tag} of another render than {top.number}")
        return wrong

    def wrong_fields(self, visit, answer):
        for name, value in answer.fields:
            if name.startswith(("larder-", "surrogate-")) or name in ("cdn-cache-control", "xkey", "cache-tag"):
                yield f"field for caches reached the visitor: {name}: {value}"
        again = ("x-larder",) if answer.status != 416 else ()  # nginx writes its page for 416 after the header of the cached answer
        for name in (*again, "age", "date", "etag", "content-type", "content-encoding", "last-modified", "cache-status", "location"):
            if len(answer.all(name)) > 1:
                yield f"{name} twice: {answer.all(name)}"
        if answer.status < 500 and not answer.get("cache-status") and visit.method != "POST":
            yield "no Cache-Status"
        age = answer.get("age")
        if age and not age.isdigit():
            yield f"Age: {age}"

    def parse(self, visit, text):
        """Returns the renders that the text consists of, with their depths, and the errors found."""
        used, wrong = [], []
        at = self.parse_page(visit, text, 0, visit.kind, visit.object, 0, used, wrong)
        if not wrong and at != len(text):
            wrong.append(f"{len(text) - at} bytes after the end: {text[at:at + 60]!r}")
        return used, wrong

    def parse_page(self, visit, text, at, kind, number, depth, used, wrong):
        found = RENDER.match(text, at)
        render = self.site.renders.get(int(found[1])) if found else None
        if render is None:
            wrong.append(f"no page of the site: {text[at:at + 60]!r}")
            return at
        if render.path.partition("?")[0] != f"/p/{kind}/{number}":
            wrong.append(f"{render.path} in the place of /p/{kind}/{number}")
            return at
        used.append((depth, render))
        for part in render.parts:
            if wrong:
                return at
            if isinstance(part, bytes):
                if not text.startswith(part, at):
                    same = next((i for i, b in enumerate(part) if text[at + i:at + i + 1] != bytes([b])), len(part))
                    wrong.append(f"render {render.number} is damaged after {at + same} bytes: {text[at + same:at + same + 60]!r}")
                    return at
                at += len(part)
            elif self.c["esi"] == "off" or visit.method == "POST" and text.startswith(markup(*part), at):
                if not text.startswith(markup(*part), at):
                    wrong.append(f"markup changed though larder_esi is off: {text[at:at + 60]!r}")
                at += len(markup(*part))
            elif RENDER.match(text, at):
                at = self.parse_page(visit, text, at, part[0], part[1], depth + 1, used, wrong)
            elif not any(self.faults_about(p, visit) for p in self.paths_of(part[0], part[1])):
                wrong.append(f"fragment {part} is missing though nothing failed: {text[at:at + 60]!r}")
        return at

    def paths_of(self, kind, number):
        """The paths that the answer depends on: the page's, those of its includes, and others that it waits for."""
        paths = [f"/p/{kind}/{number}", "/group"]
        for other, _ in KINDS[kind].includes:
            paths += self.paths_of(other, number)
        return paths

    # ---- one render

    def reduced_inputs(self, visit):
        """The visitor's inputs that the site may see in a request whose answer is shared with others."""
        inputs = dict.fromkeys(("lang", "sid", "device", "group"))  # "auth": judge_credentials()
        if self.c["language"] == "value":
            lang = visit.inputs["lang"]
            inputs["lang"] = lang if lang in ("de", "fr") else "en"
        if self.c["session"] == "private":
            inputs["sid"] = visit.inputs["sid"]
        if self.c["group"] and visit.inputs["sid"]:
            inputs["group"] = f"g{sum(map(ord, visit.inputs['sid'])) % 3}"
        return inputs

    def judge_render(self, visit, answer, render, depth):
        if render.visitor and render.visitor != str(visit.number):
            yield f"made for visitor {render.visitor} alone"
            return
        if depth == 0 and render.method != ("GET" if visit.method == "HEAD" else visit.method):
            yield f"the answer to a {render.method}"
        if depth > 0 and render.method != "GET":
            yield f"a fragment asked for by {render.method}"
        if render.visitor:
            shown = {u: visit.inputs.get(u) for u in render.kind.uses if u != "group"}
            if any(render.seen[u] != v for u, v in shown.items()):
                yield f"sent in full, but the site saw {render.seen}"
            return
        may_see = self.reduced_inputs(visit)
        for name, seen in render.seen.items():
            if name == "device" and (seen is None and (not render.kind.vary or visit.inputs["device"] is None) or
                                     seen == visit.inputs["device"] and self.c["vary"] == "key"):
                continue
            if name == "sid" and self.c["group"] and seen is None:
                continue
            if name == "auth":
                yield from self.judge_credentials(visit, render, seen)
                continue
            if seen != may_see[name]:
                yield f"the site saw {name}={seen} where this visitor's key holds {may_see[name]}"
        render.served_to.add(visit.number)
        personal = self.c["session"] == "private" and render.kind is KINDS["session"]
        if not render.kind.storable and not personal and len(render.served_to) > 1:
            yield f"must not be stored, but served to {sorted(render.served_to)}"
        yield from self.judge_time(visit, answer, render, depth)

    def judge_credentials(self, visit, render, seen):
        """Checks a reduced request's answer: it is for visitors without credentials, or, if the site allows, for all who have some."""
        sent = visit.inputs["auth"]
        if (seen is None) != (sent is None):
            yield f"made for {seen or 'nobody with credentials'}, served to {sent or 'somebody without'}"
        elif sent is not None and self.c["authorization"] == "bypass":
            yield "larder_authorization bypass, but not sent in full"
        elif sent is not None and not render.kind.shareable and (seen != sent or render.served_to - {visit.number}):
            yield f"what {seen} got may not be shared, but was"

    def judge_time(self, visit, answer, render, depth):
        status = answer.get("x-larder")
        age = visit.sent - render.last_confirmed
        failing = self.faults_about(render.path, visit)
        max_stale = self.c["control"] and any("max-stale" in v for _, v in visit.headers)
        stale_s = self.error_s if failing or max_stale else self.while_s
        if age > render.kind.fresh_s + stale_s + SLACK_S:
            yield f"{age:.1f} s old (X-Larder: {status})"
        if render.kind is KINDS["fixed"] and render.last_confirmed < visit.sent and not self.is_disturbed(visit):
            yield "no-cache, but not validated"
        for purge in self.purges:
            if purge.object != int(render.path.rsplit("/", 1)[1]) or purge.path not in ("", render.path):
                continue
            if purge.machine != visit.machine and visit.sent < self.told(purge):
                continue
            if purge.returned > visit.sent or render.version >= purge.version:
                continue
            if purge.hard or self.c["stale"] == "never":
                yield f"from before a purge that had returned (version {render.version} of {purge.version}, X-Larder: {status})"
            elif visit.sent - purge.called > stale_s + SLACK_S and not failing:
                yield f"purged softly {visit.sent - purge.called:.1f} s ago, still version {render.version} of {purge.version} (X-Larder: {status})"
            elif depth == 0 and not render.kind.includes and status not in ("STALE", "ERROR-STALE", "COALESCED"):
                yield f"purged softly, but served as {status}"
            elif depth == 0 and status == "STALE" and "max-age=0" not in answer.get("cache-control") \
                    and "no-" not in answer.get("cache-control"):
                yield f"purged softly, but tells caches behind: {answer.get('cache-control')}"
            else:
                continue
            return

    def render_of_tag(self, answer):
        tag = answer.get("etag").removeprefix("W/").strip('"')
        return self.site.renders.get(int(tag[1:])) if tag[:1] == "r" and tag[1:].isdigit() else None

    def judge_not_modified(self, visit, answer):
        asked = next((v for n, v in visit.headers if n == "If-None-Match"), "")
        tag = answer.get("etag").removeprefix("W/")
        if answer.body:
            return ["304 with a body"]
        if not asked or tag and tag not in asked:
            return [f"304 with ETag {tag} to If-None-Match: {asked}"]
        render = self.render_of_tag(answer)
        if render is None or answer.get("x-larder") in ("PASS", "BYPASS"):  # not from the cache: the site's own answer to this visitor
            return []
        return list(self.judge_render(visit, answer, render, 0))

    def judge_range(self, visit, answer):
        asked = next((v for n, v in visit.headers if n == "Range"), "")
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.get("content-range"))
        if not asked or not found:
            return [f"206 with Content-Range: {answer.get('content-range')} to Range: {asked}"]
        first, last, size = map(int, found.groups())
        if len(answer.body) != last - first + 1:
            return [f"206 of {len(answer.body)} bytes says {found[0]}"]
        render = self.render_of_tag(answer)
        if render is None or render.kind.includes or answer.get("content-encoding"):
            return []
        if size != len(render.body) or answer.body != render.body[first:last + 1]:
            return [f"206 holds other bytes than {found[0]} of render {render.number}"]
        return list(self.judge_render(visit, answer, render, 0))


def every_page():
    return [(kind, n) for kind in KINDS for n in range(OBJECTS)]
