"""{% esi %}: a fragment of the page, included by the edge, or rendered in place when there is none."""
import logging

from django import template
from django.template.defaulttags import url as parse_url_tag

from larder import conf, state
from larder.fragments import FragmentError, render_inline

logger = logging.getLogger("larder.esi")
register = template.Library()

ONERROR = ("continue", "fail")


class EsiNode(template.Node):
    def __init__(self, url_node, onerror):
        self.url_node = url_node
        self.onerror = onerror

    def render(self, context):
        onerror = self.onerror.resolve(context) if self.onerror else "fail"
        if onerror not in ONERROR:
            raise template.TemplateSyntaxError(f"{{% esi %}}: onerror={onerror!r} must be one of {', '.join(ONERROR)}")
        url = self._url(context)
        request_state = state.current()
        if request_state and request_state.capable and not conf.get("INLINE"):
            request_state.esi_used = True
            return self._include(url, onerror)
        return self._inline(context, url, onerror)

    def _url(self, context):
        """The path unescaped, as reverse() makes it: for an attribute in double quotes only & and ' are left to encode."""
        autoescape, context.autoescape = context.autoescape, False
        try:
            return self.url_node.render(context).replace("&", "%26").replace("'", "%27")
        finally:
            context.autoescape = autoescape

    @staticmethod
    def _include(url, onerror):
        attributes = f' onerror="{onerror}"' if onerror == "continue" else ""
        return f'<esi:include src="{url}"{attributes}/>'

    @staticmethod
    def _inline(context, url, onerror):
        request = context.get("request")
        if request is None:
            request_state = state.current()
            if request_state is None:
                raise FragmentError(f"{url}: no request to render it for; add the context processor "
                                    "django.template.context_processors.request, or LarderMiddleware")
            request = request_state.request
        try:
            return render_inline(request, url)
        except Exception:
            if onerror == "fail":
                raise
            logger.exception("fragment %s left out", url)
            return ""


@register.tag
def esi(parser, token):
    """{% esi 'view-name' arg kw=value onerror='continue' %}: arguments as of {% url %}. With onerror='continue' a fragment
    that fails is left out instead of failing the page."""
    url_node = parse_url_tag(parser, token)
    if url_node.asvar:
        raise template.TemplateSyntaxError("{% esi %} includes a fragment; it has no 'as variable'")
    return EsiNode(url_node, url_node.kwargs.pop("onerror", None))
