# gunicorn settings of the demo site: several sync workers, one request each at a time.
import os

bind = os.environ.get("SITE_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("SITE_WORKERS", "4"))
wsgi_app = "classifieds.wsgi"
preload_app = True  # the counters of /stats/ are memory that the workers inherit
timeout = 30
graceful_timeout = 2
keepalive = 5
errorlog = "-"
