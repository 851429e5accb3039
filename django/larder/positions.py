"""Positions in the primary's write-ahead log. A replica shows a commit once it has replayed the log up to its position."""
from django.db import connections

from larder import conf

# Uses the insert position, because with synchronous_commit = off a commit may not be flushed yet. The timeline is taken from the name of a
# WAL file, because after a promotion the control file has the old timeline until the next checkpoint.
_SQL = """SELECT system_identifier, substr(pg_walfile_name(lsn), 1, 8), lsn::text, current_setting('wal_block_size')::int,
                 pg_size_bytes(current_setting('wal_segment_size'))
          FROM pg_current_wal_insert_lsn() AS lsn, pg_control_system()"""
_PAGE_HEADER = 24  # bytes: sizeof(XLogPageHeaderData) in PostgreSQL
_SEGMENT_HEADER = 40  # bytes: sizeof(XLogLongPageHeaderData), on the first page of a WAL file


def current_position():
    """Returns the position as "DATABASE/SYSTEM/TIMELINE/LSN", such as "default/7412345678901234567/1/16B3748": the cluster's system
    identifier and the timeline in decimal, the LSN as one hexadecimal number.

    Call it after the commit that the position must cover. Inside a transaction it would be too early, so it returns "" there, as it
    does for databases other than PostgreSQL. Makes one query on the primary; database errors are raised."""
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
    """The end of the last record before an insert position.

    If that record ends at a page boundary, the insert position is after the next page's header. Replay reaches that point only with a
    further record, so as a fence it would be out of reach while the database is idle. No record can end directly after a header, so such
    a position always means the start of the page."""
    if insert_lsn % segment == _SEGMENT_HEADER:
        return insert_lsn - _SEGMENT_HEADER
    if insert_lsn % page == _PAGE_HEADER:
        return insert_lsn - _PAGE_HEADER
    return insert_lsn
