"""The signed route header: the format that larderd writes, and what is refused."""
import base64
import hashlib
import hmac
from unittest import mock

from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.test import SimpleTestCase, override_settings

from larder.signing import SALT, Route, verify

KEY = "0123456789abcdef0123456789abcdef"
ROUTE = Route("replica1", "pg1/1/16B3748", "/category/boats/", 1700000005000)
VALUE = "alias=replica1;fence=pg1/1/16B3748;fragment=/category/boats/;deadline=1700000005000"


def at(seconds):
    return mock.patch("django.core.signing.time.time", return_value=seconds)


def independent_signature(salt, text, digest=hashlib.sha256, key=KEY):
    derived = digest((salt + "signer" + key).encode()).digest()
    return base64.urlsafe_b64encode(hmac.new(derived, text.encode(), digest).digest()).rstrip(b"=").decode()


class SigningVectors(SimpleTestCase):
    def test_published_vector(self):
        with at(1700000000):
            text = TimestampSigner(key=KEY, salt="larder.pin").sign("pg1/0/16B3748")
        self.assertEqual(text, "pg1/0/16B3748:1r31eq:R4ZSktNzXzSywoZNQq66e8nUarbQy1WxTnU9BLKWlkA")

    def test_route_as_computed_without_django(self):
        with at(1700000000):
            signed = ROUTE.signed()
        self.assertEqual(signed, f"{VALUE}:1r31eq:{independent_signature(SALT, VALUE + ':1r31eq')}")


class Verification(SimpleTestCase):
    def test_round_trip(self):
        self.assertEqual(verify(ROUTE.signed()), ROUTE)

    def test_fragment_may_hold_separators(self):
        for fragment in ("/a;deadline=1;b/", "/a:b:c/", "/ä;/?q=1;2"):
            route = Route("replica1", "", fragment, 7)
            self.assertEqual(verify(route.signed()), route)

    def test_ten_seconds_and_no_longer(self):
        with at(1700000000):
            signed = ROUTE.signed()
        with at(1700000009):
            self.assertEqual(verify(signed), ROUTE)
        with at(1700000012), self.assertRaises(SignatureExpired):
            verify(signed)

    def test_every_changed_byte_is_refused(self):
        signed = ROUTE.signed()
        for i in range(len(signed)):
            # Not another letter: 4 bits of the signature's last character are unused, so that could be equivalent.
            forged = signed[:i] + ("~" if signed[i] != "~" else "!") + signed[i + 1:]
            with self.assertRaises(BadSignature):
                verify(forged)

    def test_other_salt_or_key_is_refused(self):
        for signer in (TimestampSigner(key=KEY, salt="larder.pin"), TimestampSigner(key="x" * 32, salt=SALT)):
            with self.assertRaises(BadSignature):
                verify(signer.sign(VALUE))

    def test_sha1_is_refused_although_django_3_accepts_it(self):
        with at(1700000000), self.assertRaises(BadSignature):
            verify(f"{VALUE}:1r31eq:{independent_signature(SALT, VALUE + ':1r31eq', hashlib.sha1)}")

    def test_signed_nonsense_is_refused(self):
        for value in ("", "alias=;fence=;fragment=;deadline=1", "alias=a;fence=;fragment=/", "alias=a;fence=;fragment=/;deadline=x"):
            with self.assertRaises(BadSignature):
                verify(TimestampSigner(key=KEY, salt=SALT).sign(value))

    def test_former_key_is_accepted_while_it_is_a_fallback(self):
        with override_settings(LARDER={"KEY": "f" * 32}):
            signed = ROUTE.signed()
        with self.assertRaises(BadSignature):
            verify(signed)
        with override_settings(LARDER={"KEY": KEY, "FALLBACK_KEYS": ["e" * 32, "f" * 32]}):
            self.assertEqual(verify(signed), ROUTE)

    def test_no_key_accepts_nothing(self):
        with override_settings(LARDER={}), self.assertRaises(BadSignature):
            verify(TimestampSigner(key="", salt=SALT).sign(VALUE))
