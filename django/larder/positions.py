"""Where the primary's write-ahead log stands: the point a replica must have replayed to show what was just committed."""
from django.db import connections

from larder import conf

# The insert position, as the commit may not be flushed yet where synchronous_commit is off. The timeline is read from a
# WAL file's name: after a promotion the control file still names the old one for a while.
_SQL = """SELECT system_identifier, substr(pg_walfile_name(lsn), 1, 8), lsn::text, current_setting('wal_block_size')::int,
                 pg_size_bytes(current_setting('wal_segment_size'))
          FROM pg_current_wal_insert_lsn() AS lsn, pg_control_system()"""
_PAGE_HEADER = 24  # bytes, sizes of PostgreSQL's XLogPageHeaderData ...
_SEGMENT_HEADER = 40  # ... and XLogLongPageHeaderData, on the first page of a WAL file


def current_position():
    """"<database>/<system>/<timeline>/<lsn>", e.g. "default/7412345678901234567/1/16B3748": which cluster (its system
    identifier) and timeline in decimal, LSN as one hexadecimal number.

    Read after the commit it shall cover: inside a transaction it would be too early, so there the answer is "", as it is
    on a database without such positions. One query on the primary; database errors are raised."""
    connection = connections[conf.PRIMARY]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(_SQL)
        system, timeline, text, page, segment = cursor.fetchone()
    high, low = text.split("/")
    lsn = end_of_last_record((int(high, 16) << 32) + int(low, 16), page, segment)
    return f"{conf.get('DATABASE')}/{system % 2**64}/{int(timeline, 16)}/{lsn:X}"


def end_of_last_record(insert_lsn, page, segment):
    """When the last record ends with its page, the insert position is already behind the next page's header, where replay
    gets only with a further record: as a fence, out of reach while the database idles. No record ends right behind a
    header, so such a position always means the page's start."""
    if insert_lsn % segment == _SEGMENT_HEADER:
        return insert_lsn - _SEGMENT_HEADER
    if insert_lsn % page == _PAGE_HEADER:
        return insert_lsn - _PAGE_HEADER
    return insert_lsn
