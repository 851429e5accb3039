"""Where the primary's write-ahead log stands: the point a replica must have replayed to show what was just committed."""
from django.db import connections

from larder import conf

# The timeline is read from a WAL file's name: after a promotion the control file still names the old one for a while.
_SQL = """SELECT substr(pg_walfile_name(lsn), 1, 8), lsn::text FROM pg_current_wal_insert_lsn() AS lsn"""


def current_position():
    """"<database>/<timeline>/<lsn>", e.g. "default/1/16B3748": timeline decimal, LSN as one hexadecimal number.

    Read after the commit it shall cover: inside a transaction it would be too early, so there the answer is "", as it is
    on a database without such positions. One query on the primary; database errors are raised."""
    connection = connections[conf.PRIMARY]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(_SQL)
        timeline, lsn = cursor.fetchone()
    high, low = lsn.split("/")
    return f"{conf.get('DATABASE')}/{int(timeline, 16)}/{(int(high, 16) << 32) + int(low, 16):X}"
