"""Groups of visitors. nginx (larder_group) asks once per session which group the visitor is in, and keys pages by the group instead of
the session."""
from django.http import HttpResponse
from django.utils.module_loading import import_string

from larder import conf


def group(request):
    """The group that this request's page is for: nginx's header Larder-Group if the page is shared, else the result of
    LARDER["GROUP"]."""
    shared = request.META.get("HTTP_LARDER_GROUP")
    return _computed(request) if shared is None else shared


def group_view(request):
    """The view that nginx asks for the group of a session. Its response is empty for a visitor without a group."""
    response = HttpResponse(_computed(request), content_type="text/plain; charset=us-ascii")
    response["Cache-Control"] = "private"
    return response


def _computed(request):
    path = conf.get("GROUP")
    return import_string(path)(request) if path else ""
