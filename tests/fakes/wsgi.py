"""A WSGI site for uwsgi_pass: the request as JSON, freshness from ?cc=, a cookie from ?set=. For tests only."""
import json
from urllib.parse import parse_qs

renders = 0


def application(environ, start_response):
    global renders
    renders += 1
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    headers = [("Content-Type", query.get("type", "application/json"))]
    if "cc" in query:
        headers.append(("Cache-Control", query["cc"]))
    if "set" in query:
        headers.append(("Set-Cookie", query["set"]))
    start_response(query.get("status", "200 OK"), headers)
    if "body" in query:
        return [query["body"].encode()]
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps({"render": renders, "environ": seen}).encode()]
