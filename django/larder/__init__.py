"""Larder for Django: edge-cached views and fragments, purges with the commit's log position, reads from the replica that larderd chose."""
from larder.cookies import get_signed_cookie, set_signed_cookie
from larder.decorators import edge_cache, never_edge
from larder.groups import group, group_view
from larder.primary import use_primary
from larder.purging import batch, purge
from larder.registration import register
from larder.state import add_tags, current_route

__all__ = ["add_tags", "batch", "current_route", "edge_cache", "get_signed_cookie", "group", "group_view", "never_edge", "purge",
           "register", "set_signed_cookie", "use_primary"]
__version__ = "0.1.0"
