"""The site as a WSGI application, for gunicorn and uwsgi."""
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "classifieds.settings")
application = get_wsgi_application()
