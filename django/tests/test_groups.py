"""Groups of visitors: what nginx and views are told. t/72-groups.t tests them with nginx."""
from django.core.checks import run_checks
from django.test import RequestFactory, SimpleTestCase, override_settings

import larder

KEY = "0123456789abcdef0123456789abcdef"


def of(request):
    return request.COOKIES.get("role", "")


@override_settings(LARDER={"KEY": KEY, "GROUP": f"{__name__}.of"})
class Groups(SimpleTestCase):
    def request(self, role=None, **headers):
        request = RequestFactory().get("/", **headers)
        if role:
            request.COOKIES["role"] = role
        return request

    def test_the_function_decides_where_the_request_is_a_visitors_own(self):
        self.assertEqual(larder.group(self.request("editor")), "editor")
        self.assertEqual(larder.group(self.request()), "")

    def test_what_nginx_says_goes_before_it(self):
        self.assertEqual(larder.group(self.request("editor", HTTP_LARDER_GROUP="reader")), "reader")

    def test_nginx_is_told_by_the_function_alone(self):
        response = larder.group_view(self.request("editor", HTTP_LARDER_GROUP="reader"))
        self.assertEqual(response.content, b"editor")
        self.assertEqual(response["Cache-Control"], "private")
        self.assertEqual(larder.group_view(self.request()).content, b"")

    @override_settings(LARDER={"KEY": KEY})
    def test_without_a_function_nobody_has_one(self):
        self.assertEqual(larder.group(self.request("editor")), "")

    def test_mistakes_are_found(self):
        for path, said in (("no.such.module", "No module"), (f"{__name__}.absent", "absent"), (f"{__name__}.KEY", "not a function")):
            with override_settings(LARDER={"KEY": KEY, "GROUP": path}):
                errors = [e for e in run_checks() if e.id == "larder.E012"]
                self.assertEqual(len(errors), 1)
                self.assertIn(said, errors[0].msg)
