"""Signed cookies, which nginx verifies (`larder_cookie NAME signed`). Visitors can read their values, but not forge them."""
from django.core.signing import BadSignature, TimestampSigner

from larder import conf

SALT = "larder.cookie"
MAX_AGE_S = 14 * 86400


class CookieSigner(TimestampSigner):
    legacy_algorithm = None  # don't accept SHA-1 signatures, as Django 3.2 does

    def __init__(self, key):
        super().__init__(key=key, salt=SALT)


def set_signed_cookie(response, name, value, max_age=MAX_AGE_S, **attributes):
    """Sets a cookie that get_signed_cookie() and nginx accept. `attributes`: as for HttpResponse.set_cookie()."""
    response.set_cookie(name, CookieSigner(conf.get("KEY")).sign(value), max_age=max_age, **attributes)


def get_signed_cookie(request, name, default=None, max_age=MAX_AGE_S):
    """The value of a signed cookie, or `default` if the cookie is missing, forged or older than `max_age` seconds."""
    for key in (conf.get("KEY"), *conf.get("FALLBACK_KEYS")):
        try:
            return CookieSigner(key).unsign(request.COOKIES[name], max_age=max_age)
        except (KeyError, BadSignature):
            continue
    return default
