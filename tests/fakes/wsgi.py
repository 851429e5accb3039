"""A WSGI site for uwsgi_pass: the request as JSON, freshness from ?cc=, a cookie from ?set=. For tests only.

SITE_HEADERS in the environment: a JSON object of header fields of each answer, which a query overrules.
"""
import json
import os
from urllib.parse import parse_qs

renders = 0
usual = json.loads(os.environ.get("SITE_HEADERS", "{}"))


def application(environ, start_response):
    global renders
    renders += 1
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    headers = {"Content-Type": "application/json", **usual}
    if "type" in query:
        headers["Content-Type"] = query["type"]
    if "cc" in query:
        headers["Cache-Control"] = query["cc"]
    if "set" in query:
        headers["Set-Cookie"] = query["set"]
    start_response(query.get("status", "200 OK"), list(headers.items()))
    if "body" in query:
        return [query["body"].encode()]
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps({"render": renders, "environ": seen}).encode()]
