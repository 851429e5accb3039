"""Counts the queries of the current request and detects writes, on all connections and threads."""
import re
import time

from larder import conf, state

_COMMENTS = r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*"
_READS = re.compile(_COMMENTS + r"(select|with|values|table|show|explain|set|reset|savepoint|release|rollback|begin|start"
                    r"|commit|declare|fetch|move|close|pragma)\b", re.IGNORECASE | re.DOTALL)
_CHANGES = re.compile(r"\b(insert|update|delete|merge|truncate|into)\b", re.IGNORECASE)
_MAY_HIDE_CHANGES = {"with", "explain"}


def writes(sql):
    """Whether a statement may change data. When in doubt, it may. Side effects of functions are not detected."""
    found = _READS.match(sql) if isinstance(sql, str) else None
    if not found:
        return True
    return found[1].lower() in _MAY_HIDE_CHANGES and bool(_CHANGES.search(sql))


def _observe(execute, sql, params, many, context):
    request_state = state.current()
    if request_state is None:
        return execute(sql, params, many, context)
    alias = context["connection"].alias
    if alias == conf.PRIMARY and not request_state.wrote and writes(sql):
        request_state.wrote = request_state.pinned = True
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        request_state.query_count += 1
        request_state.query_seconds += time.perf_counter() - started
        request_state.aliases[alias] = None


def observe_connection(connection, **_):
    """Receiver of connection_created, which is also sent on reconnection."""
    if _observe not in connection.execute_wrappers:
        connection.execute_wrappers.append(_observe)
