"""The group of a visitor: nginx (larder_group) asks for it once per session, and keys pages by it instead of the session."""
from django.http import HttpResponse
from django.utils.module_loading import import_string

from larder import conf


def group(request):
    """The group that this request's page is for: nginx's word where the page is shared, else what LARDER["GROUP"] says."""
    shared = request.META.get("HTTP_LARDER_GROUP")
    return _computed(request) if shared is None else shared


def group_view(request):
    """What nginx asks. Empty for a visitor of no group."""
    response = HttpResponse(_computed(request), content_type="text/plain; charset=us-ascii")
    response["Cache-Control"] = "private"
    return response


def _computed(request):
    path = conf.get("GROUP")
    return import_string(path)(request) if path else ""
