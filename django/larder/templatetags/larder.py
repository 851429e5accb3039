"""Template tags for fragments, form tokens and cookies that the edge inserts into a page. Without an edge, they are rendered in place."""
import logging
import re
from urllib.parse import quote

from django import template
from django.conf import settings
from django.middleware.csrf import get_token
from django.template.defaulttags import url as parse_url_tag
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import mark_safe

from larder import conf, state
from larder.cookies import get_signed_cookie
from larder.fragments import FragmentError, render_inline

logger = logging.getLogger("larder.esi")
register = template.Library()

_TIME = re.compile(r"\d{1,9}(ms|s|m|h|d)?", re.ASCII)
# The options of {% esi %} in addition to the arguments of {% url %}, with the forms of their values.
_OPTIONS = {"onerror": re.compile("continue|fail"), "ttl": _TIME, "maxwait": _TIME, "late": re.compile("client"),
            "no_store": re.compile("on|off")}
_ATTRIBUTES = {"no_store": "no-store"}
_COOKIE_NAME = re.compile(r"[\w.-]+", re.ASCII)
_PLAIN = re.compile(r"[\w .-]*", re.ASCII)


def _at_the_edge():
    """Whether the edge processes the response's ESI markup. If so, the response will announce it (Surrogate-Control)."""
    request_state = state.current()
    if not request_state or not request_state.capable or conf.get("INLINE"):
        return False
    request_state.esi_used = True
    return True


def _request(context, what):
    """The current request. Raises FragmentError, naming `what`, if there is none."""
    request = context.get("request")
    if request is not None:
        return request
    request_state = state.current()
    if request_state is None:
        raise FragmentError(f"{what}: no request to render it for; add the context processor "
                            "django.template.context_processors.request, or LarderMiddleware")
    return request_state.request


def _visitors_request(context, what):
    """The same, for rendering personal data: the edge must not keep the response."""
    request_state = state.current()
    if request_state:
        request_state.personal = True
    return _request(context, what)


class EsiNode(template.Node):
    def __init__(self, url_node, options):
        self.url_node = url_node
        self.options = options

    def render(self, context):
        options = {name: option.resolve(context) for name, option in self.options.items()}
        for name, value in options.items():
            if not _OPTIONS[name].fullmatch(str(value)):
                raise template.TemplateSyntaxError(f"{{% esi %}}: bad value {name}={value!r}")
        url = self._url(context)
        if _at_the_edge():
            return self._include(url, options)
        return self._inline(context, url, options.get("onerror", "fail"))

    def _url(self, context):
        """The path, as reverse() returns it. In an attribute in double quotes, only & and ' remain to be encoded."""
        autoescape, context.autoescape = context.autoescape, False
        try:
            return self.url_node.render(context).replace("&", "%26").replace("'", "%27")
        finally:
            context.autoescape = autoescape

    @staticmethod
    def _include(url, options):
        attributes = "".join(f' {_ATTRIBUTES.get(name, name)}="{value}"' for name, value in options.items()
                             if value not in ("fail", "off"))
        return f'<esi:include src="{url}"{attributes}/>'

    @staticmethod
    def _inline(context, url, onerror):
        request = _request(context, url)
        try:
            return render_inline(request, url)
        except Exception:
            if onerror == "fail":
                raise
            logger.exception("fragment %s left out", url)
            return ""


@register.tag
def esi(parser, token):
    """{% esi 'view-name' arg kw=value onerror='continue' %}: includes a fragment. The arguments are those of {% url %}. With
    onerror='continue', a fragment that fails is left out; otherwise the page fails. Only the edge uses ttl, maxwait, late='client' and
    no_store='on'."""
    url_node = parse_url_tag(parser, token)
    if url_node.asvar:
        raise template.TemplateSyntaxError("{% esi %} includes a fragment; it has no 'as variable'")
    return EsiNode(url_node, {name: url_node.kwargs.pop(name) for name in _OPTIONS if name in url_node.kwargs})


@register.simple_tag(takes_context=True)
def esi_csrf(context):
    """{% esi_csrf %}: {% csrf_token %} for a page that the edge keeps. The edge inserts each visitor's own token. With CSRF_USE_SESSIONS
    the token is rendered in place, and the edge does not keep the page."""
    if not settings.CSRF_USE_SESSIONS and _at_the_edge():
        token = mark_safe("<esi:vars>$csrf_token()</esi:vars>")
    else:
        request = _visitors_request(context, "{% esi_csrf %}")
        token = context.get("csrf_token") or get_token(request)
    return format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', token)


@register.simple_tag(takes_context=True)
def edge_cookie(context, name, default="", signed=False):
    """{% edge_cookie 'name' 'default' %}: the value of a cookie, inserted by the edge; larder_esi_cookie must allow the cookie. With
    signed=True, the value of a cookie that larder.set_signed_cookie() has set."""
    if not _COOKIE_NAME.fullmatch(name):
        raise template.TemplateSyntaxError(f"{{% edge_cookie %}}: bad cookie name {name!r}: letters, digits, _ - .")
    if _at_the_edge():
        call = f"$signed_cookie('{name}', {{}})" if signed else f"$default($(HTTP_COOKIE{{{{'{name}'}}}}), {{}})"
        return mark_safe(f"<esi:vars>{call.format(_expression(str(default)))}</esi:vars>")
    request = _visitors_request(context, "{% edge_cookie %}")
    value = get_signed_cookie(request, name) if signed else request.COOKIES.get(name)
    return conditional_escape(value or default)


def _expression(text):
    """The text as a literal of ESI's expressions."""
    return f"'{text}'" if _PLAIN.fullmatch(text) else f"$url_decode('{quote(text, safe='')}')"
