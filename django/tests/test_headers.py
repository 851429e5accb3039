"""The response headers for the edge: Surrogate-Control, Surrogate-Key, and Larder-*."""
from datetime import timedelta

from django.http import HttpResponse
from django.test import Client, SimpleTestCase, override_settings

import larder
from larder.headers import says_esi
from larder.test import EdgeAssertions, edge_client, routed
from tests.base import DatabaseCase
from tests.settings import LARDER


class Decorators(DatabaseCase, EdgeAssertions):
    def test_edge_cache_and_tags(self):
        response = Client().get(f"/ad/{self.ad.pk}/")
        self.assertEqual(response["Surrogate-Control"], "max-age=60, stale-while-revalidate=30, stale-if-error=600")
        self.assert_surrogate_keys(response, "ad:1")

    def test_tags_of_a_missing_page_are_kept_its_lifetime_is_not_ours_to_say(self):
        response = Client().get("/missing/")
        self.assertEqual(response.status_code, 404)
        self.assert_surrogate_keys(response, "looked-for")
        self.assertNotIn("Surrogate-Control", response)

    def test_an_error_gets_no_lifetime(self):
        self.assertNotIn("Surrogate-Control", Client().get("/broken/"))

    def test_a_response_with_a_cookie_is_nobody_elses(self):
        self.assertEqual(Client().get("/with-cookie/")["Surrogate-Control"], "no-store")

    def test_everybody(self):
        self.assertEqual(Client().get("/everybody/")["Larder-Audience"], "everybody")
        self.assertNotIn("Larder-Audience", Client().get("/page/"))
        for kind in ("broken", "personal"):
            with self.subTest(kind):
                self.assertNotIn("Larder-Audience", Client().get(f"/everybody/?is={kind}"))

    def test_a_page_is_everybodys_if_its_parts_are(self):
        self.assertNotIn("Larder-Audience", Client().get("/everybody/?is=page"))
        self.assertEqual(edge_client().get("/everybody/?is=page")["Larder-Audience"], "everybody")  # parts by themselves

    def test_never_edge(self):
        self.assertEqual(Client().get("/private/")["Surrogate-Control"], "no-store")

    def test_async_view(self):
        self.assert_surrogate_keys(Client().get("/async-fragment/"), "async-fragment")

    def test_lifetimes(self):
        for bad in (-1, 1.5, "60", True, timedelta(seconds=-1), None):
            if bad is not None:
                with self.subTest(bad), self.assertRaises(ValueError):
                    larder.edge_cache(bad)
        with self.assertRaises(ValueError):
            larder.edge_cache(60, tags="one-string")
        view = larder.edge_cache(timedelta(minutes=2))(lambda request: HttpResponse())
        self.assertEqual(view(None).larder_policy.directives(), ["max-age=120"])


class EdgeHeaders(DatabaseCase, EdgeAssertions):
    def test_query_count_is_for_the_edge_only(self):
        response = edge_client().get("/ad/1/")
        self.assert_fragment_queries(response, 1, "default")
        self.assert_fragment_queries(Client().get("/ad/1/", **routed("replica1")), 1, "replica1")
        self.assertNotIn("Larder-Queries", Client().get("/ad/1/"))

    def test_larder_wrote_after_writes_only(self):
        self.assertRegex(edge_client().get("/write/?pk=1&title=x")["Larder-Wrote"], r"^pg1/\d+/1/[0-9A-F]+$")
        self.assertIn("Larder-Wrote", edge_client().get("/log-in/"))
        self.assertNotIn("Larder-Wrote", edge_client().get("/ad/1/"))
        self.assertNotIn("Larder-Wrote", Client().get("/write/?pk=1&title=x"))

    def test_disabled_middleware_adds_nothing(self):
        with override_settings(LARDER={**LARDER, "ENABLED": False}):
            response = edge_client().get("/ad/1/")
        self.assertEqual({name for name, _ in response.items() if name.startswith(("Larder", "Surrogate"))}, set())


class Capability(SimpleTestCase):
    def test_announcements(self):
        for text in ('larder="ESI/1.0"', 'abc="Surrogate/1.0 ESI/1.0"', 'a="Surrogate/1.0", b="ESI/1.0 ESI-Inline/1.0"'):
            self.assertTrue(says_esi(text), text)
        for text in ("", "ESI/1.0", 'a="ESI/1.01"', 'a="XESI/1.0"', 'a="ESI/1.0', 'a="Surrogate/1.0"'):
            self.assertFalse(says_esi(text), text)
