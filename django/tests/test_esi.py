"""Template tags for the edge, and what they render without one."""
import re

from django.http import HttpResponse
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory, SimpleTestCase, override_settings
from django.urls import NoReverseMatch

from larder import set_signed_cookie, state
from larder.fragments import FragmentError
from larder.test import CAPABILITY, EdgeAssertions, edge_client
from tests.base import async_get
from tests.settings import LARDER


def rendered(source, capable=True, **context):
    request = RequestFactory().get("/page/")
    with state.use_state(state.RequestState(request, capable=capable)):
        return Template("{% load larder %}" + source).render(Context({"request": request, **context}))


class ForTheEdge(SimpleTestCase, EdgeAssertions):
    def test_include_and_its_announcement(self):
        response = edge_client().get("/page/")
        self.assertEqual(response.content.strip(), b'[<esi:include src="/fragment/nav/"/>]')
        self.assertEqual(response["Surrogate-Control"], 'max-age=60, content="ESI/1.0"')

    def test_template_response_is_announced_too(self):
        self.assertEqual(edge_client().get("/lazy-page/")["Surrogate-Control"], 'max-age=60, content="ESI/1.0"')

    def test_async_page_without_a_policy(self):
        response = async_get("/async-page/", **{"surrogate-capability": CAPABILITY})
        self.assertEqual(response.content.strip(), b'[<esi:include src="/async-fragment/"/>]')
        self.assertEqual(response["Surrogate-Control"], 'content="ESI/1.0"')

    def test_page_without_fragments_is_not_announced(self):
        self.assertEqual(edge_client().get("/fragment/nav/")["Surrogate-Control"], "max-age=20, stale-while-revalidate=5")

    def test_the_grammar_of_url(self):
        self.assertEqual(rendered("{% esi 'fragment' who|lower %}", who="NAV"), '<esi:include src="/fragment/nav/"/>')
        self.assertEqual(rendered("{% esi view name='nav' onerror=policy %}", view="fragment", policy="continue"),
                         '<esi:include src="/fragment/nav/" onerror="continue"/>')

    def test_attributes_for_the_edge(self):
        self.assertEqual(rendered("{% esi 'fragment' 'nav' ttl='5m' maxwait=250 late='client' no_store='on' onerror='fail' %}"),
                         '<esi:include src="/fragment/nav/" ttl="5m" maxwait="250" late="client" no-store="on"/>')
        self.assertEqual(rendered("{% esi 'fragment' 'nav' ttl='5m' no_store='off' %}", capable=False), "<b>nav </b>")
        for option in ("ttl='soon'", "maxwait=-1", "late='server'", "no_store='\"/>'"):
            with self.assertRaises(TemplateSyntaxError):
                rendered("{% esi 'fragment' 'nav' " + option + " %}")

    def test_no_argument_leaves_the_attribute(self):
        self.assertEqual(rendered("{% esi 'fragment' name %}", name="a\"b<c>'d&e"),
                         '<esi:include src="/fragment/a%22b%3Cc%3E%27d%26e/"/>')

    def test_mistakes(self):
        with self.assertRaises(TemplateSyntaxError):
            rendered("{% esi 'fragment' 'nav' as x %}")
        with self.assertRaises(TemplateSyntaxError):
            rendered("{% esi 'fragment' 'nav' onerror='retry' %}")
        with self.assertRaises(NoReverseMatch):
            rendered("{% esi 'nowhere' %}")

    def test_inline_setting_wins(self):
        with override_settings(LARDER={**LARDER, "INLINE": True}):
            self.assertEqual(edge_client().get("/page/").content.strip(), b"[<b>nav </b>]")


class InPlace(SimpleTestCase, EdgeAssertions):
    def test_fragment_and_what_it_brings_along(self):
        response = Client().get("/page/")
        self.assertEqual(response.content.strip(), b"[<b>nav </b>]")
        self.assertEqual(response["Surrogate-Control"], "max-age=20, stale-while-revalidate=5")
        self.assert_surrogate_keys(response, "nav")

    def test_query_of_the_page_is_not_the_fragments(self):
        self.assertEqual(Client().get("/page/?q=secret").content.strip(), b"[<b>nav </b>]")

    def test_private_fragment_makes_the_page_private(self):
        response = Client().get("/page/?template=private.html")
        self.assertEqual(response.content.strip(), b"[for you]")
        self.assertEqual(response["Surrogate-Control"], "no-store")

    def test_csrf_cookie_of_a_fragment_is_set(self):
        response = Client().get("/page/?template=token.html")
        self.assertIn("csrftoken", response.cookies)
        self.assertEqual(response["Surrogate-Control"], "no-store")
        self.assertIn("Cookie", response["Vary"])

    def test_async_fragment(self):
        self.assertEqual(rendered("{% esi 'async-fragment' %}", capable=False), "<i>async</i>")

    def test_async_fragment_in_an_async_page(self):
        response = async_get("/async-page/")
        self.assertEqual(response.content.strip(), b"[<i>async</i>]")
        self.assert_surrogate_keys(response, "async-fragment")

    def test_onerror(self):
        self.assertEqual(Client().get("/page/?template=tolerant.html").content.strip(), b"[]")
        with self.assertRaises(FragmentError):
            Client().get("/page/?template=strict.html")

    def test_without_middleware(self):
        request = RequestFactory().get("/")
        source = Template("{% load larder %}{% esi 'fragment' 'nav' %}")
        self.assertEqual(source.render(Context({"request": request})), "<b>nav </b>")
        with self.assertRaises(FragmentError):
            source.render(Context())


class OfTheVisitor(SimpleTestCase):
    """{% esi_csrf %} and {% edge_cookie %}."""

    def test_for_the_edge(self):
        response = edge_client().get("/form/")
        self.assertContains(response, '<input type="hidden" name="csrfmiddlewaretoken" '
                                      'value="<esi:vars>$csrf_token()</esi:vars>">')
        self.assertContains(response, "<esi:vars>$default($(HTTP_COOKIE{'name'}), 'you')</esi:vars>")
        self.assertContains(response, "<esi:vars>$signed_cookie('plan', 'free')</esi:vars>")
        self.assertEqual(response["Surrogate-Control"], 'max-age=60, content="ESI/1.0"')
        self.assertFalse(response.cookies)
        self.assertFalse(response.has_header("Vary"))

    def test_a_default_is_never_markup(self):
        text = rendered("{% edge_cookie 'name' who %}", who="')</esi:vars><esi:include src='/a'/>")
        self.assertEqual(text, "<esi:vars>$default($(HTTP_COOKIE{'name'}), $url_decode('%27%29%3C%2Fesi%3Avars%3E%3C"
                               "esi%3Ainclude%20src%3D%27%2Fa%27%2F%3E'))</esi:vars>")
        with self.assertRaises(TemplateSyntaxError):
            rendered("{% edge_cookie \"a'}\" %}")

    def test_in_place(self):
        client = Client(enforce_csrf_checks=True)
        signed = HttpResponse()
        set_signed_cookie(signed, "plan", "gold")
        client.cookies["name"] = "<Ann>"
        client.cookies["plan"] = signed.cookies["plan"].value
        response = client.get("/form/")
        self.assertContains(response, "Hello &lt;Ann&gt;, gold")
        self.assertNotContains(response, "esi:")
        self.assertEqual(response["Surrogate-Control"], "no-store")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w{64})"', response.content.decode())[1]
        self.assertEqual(client.post("/form/", {"csrfmiddlewaretoken": token}).status_code, 200)
        self.assertEqual(client.post("/form/", {"csrfmiddlewaretoken": "x" + token[1:]}).status_code, 403)

    def test_in_place_for_who_has_the_cookie_already(self):
        client = Client()
        client.get("/form/")
        response = client.get("/form/")
        self.assertEqual(response["Surrogate-Control"], "no-store")

    def test_tokens_in_sessions_are_not_for_the_edge(self):
        with override_settings(CSRF_USE_SESSIONS=True):
            request = RequestFactory().get("/")
            request.session = {}
            request_state = state.RequestState(request, capable=True)
            with state.use_state(request_state):
                text = Template("{% load larder %}{% esi_csrf %}").render(Context({"request": request}))
        self.assertNotIn("esi:", text)
        self.assertTrue(request_state.personal)
