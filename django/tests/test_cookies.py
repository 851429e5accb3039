"""Signed cookies. t/70-django-site.t tests that nginx accepts them."""
from unittest import mock

from django.core.signing import TimestampSigner
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, override_settings

import larder

KEY = "0123456789abcdef0123456789abcdef"


def read(text, **options):
    request = RequestFactory().get("/")
    request.COOKIES["plan"] = text
    return larder.get_signed_cookie(request, "plan", "none", **options)


@override_settings(LARDER={"KEY": KEY, "FALLBACK_KEYS": ["a former key, 16+"]})
class SignedCookies(SimpleTestCase):
    def test_round_trip_with_attributes(self):
        response = HttpResponse()
        larder.set_signed_cookie(response, "plan", "gold", max_age=60, httponly=True)
        self.assertEqual(response.cookies["plan"]["max-age"], 60)
        self.assertTrue(response.cookies["plan"]["httponly"])
        self.assertEqual(read(response.cookies["plan"].value), "gold")

    def test_former_keys_are_accepted(self):
        self.assertEqual(read(TimestampSigner(key="a former key, 16+", salt="larder.cookie").sign("gold")), "gold")

    def test_anything_else_is_the_default(self):
        signed = TimestampSigner(key=KEY, salt="larder.cookie").sign("gold")
        forged = TimestampSigner(key="x" * 32, salt="larder.cookie").sign("gold")
        for text in ("", "gold", forged, "pure" + signed, signed[:-1], TimestampSigner(key=KEY).sign("gold")):
            self.assertEqual(read(text), "none")
        self.assertEqual(larder.get_signed_cookie(RequestFactory().get("/"), "plan"), None)

    def test_no_older_than_max_age(self):
        with mock.patch("django.core.signing.time.time", return_value=1700000000):
            signed = TimestampSigner(key=KEY, salt="larder.cookie").sign("gold")
        with mock.patch("django.core.signing.time.time", return_value=1700000059):
            self.assertEqual(read(signed, max_age=60), "gold")
        with mock.patch("django.core.signing.time.time", return_value=1700000061):
            self.assertEqual(read(signed, max_age=60), "none")
