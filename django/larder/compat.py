"""Differences between the supported versions of Django and asgiref."""
try:
    from asgiref.sync import iscoroutinefunction  # asgiref 3.6; asyncio's own is deprecated in Python 3.14
except ImportError:
    from asyncio import iscoroutinefunction

__all__ = ["iscoroutinefunction"]
