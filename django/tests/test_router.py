"""Which server answers a read, on real replicas: every kind of read that Django makes."""
from unittest import mock

from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.test import Client, override_settings

import larder
from larder.routers import LarderRouter
from larder.signing import Route
from larder.test import edge_client, routed
from tests.base import DatabaseCase, async_get, await_replicas, recorded, replay_paused
from tests.settings import LARDER
from tests.shop.models import Ad, Category, Label
from tests.shop.views import script


class ToReplica2:
    """A router that chooses a replica itself."""

    def db_for_read(self, model, **hints):
        return "replica2"

    def allow_relation(self, first, second, **hints):
        return True


class RouterCase(DatabaseCase):
    def run_routed(self, function, **headers):
        """Runs function(request) in a view, with a route to replica1 unless `headers` has another. Returns the function's result as text,
        and the alias of each statement, without transaction control."""
        script["run"] = function
        with recorded() as log:
            response = Client().get("/ask/", **(headers or routed("replica1")))
        self.assertEqual(response.status_code, 200)
        control = ("SAVEPOINT", "RELEASE", "ROLLBACK", "SELECT system_identifier")
        return response.content.decode(), [alias for alias, sql in log if not sql.startswith(control)]

    def assert_asks(self, function, *aliases, **headers):
        self.assertEqual(self.run_routed(function, **headers)[1], list(aliases))


class ReadsFollowTheRoute(RouterCase):
    def test_query(self):
        self.assert_asks(lambda r: Ad.objects.count(), "replica1")
        self.assert_asks(lambda r: Ad.objects.count(), "replica2", **routed("replica2"))

    def test_relation_and_raw_and_refresh(self):
        def work(request):
            ad = Ad.objects.raw("SELECT * FROM shop_ad")[0]
            ad.refresh_from_db()
            return ad.category.name, list(ad.labels.all())

        self.assert_asks(work, *["replica1"] * 4)

    def test_route_to_the_primary(self):
        self.assert_asks(lambda r: Ad.objects.count(), "default", **routed("default"))

    def test_async_view(self):
        script["run"] = lambda request: Ad.objects.get()._state.db
        header = {"larder-route": Route("replica2").signed()}
        response = async_get("/ask-async/", **header)
        self.assertEqual(response.content, b"replica2")
        self.assertRegex(response["Larder-Queries"], r"^n=1;t=[\d.]+;a=replica2$")


class WithoutValidRoute(RouterCase):
    def assert_primary(self, **headers):
        self.assert_asks(lambda r: Ad.objects.count(), "default", **headers)

    def test_no_header(self):
        self.assert_primary(HTTP_ACCEPT="*/*")

    def test_forged(self):
        header = routed("replica1")["HTTP_LARDER_ROUTE"]
        with self.assertLogs("larder.middleware", "WARNING"):
            self.assert_primary(HTTP_LARDER_ROUTE=header.replace("replica1", "replica2"))

    def test_expired(self):
        with mock.patch("django.core.signing.time.time", return_value=1700000000):
            header = routed("replica1")
        with self.assertLogs("larder.middleware", "WARNING"):
            self.assert_primary(**header)

    def test_unknown_alias(self):
        with self.assertLogs("larder.middleware", "WARNING"):
            self.assert_primary(HTTP_LARDER_ROUTE=Route("mars").signed())

    def test_others_choose_neither_for_the_edge_nor_against_a_route(self):
        """Otherwise the edge would keep what a lagging replica shows, for its whole lifetime."""
        with override_settings(DATABASE_ROUTERS=["larder.routers.LarderRouter", "tests.test_router.ToReplica2"]):
            self.assert_primary(HTTP_ACCEPT="*/*")
            self.assert_asks(lambda r: Ad.objects.count(), "replica1")
            script["run"] = lambda r: Ad.objects.count()
            with recorded() as log:
                Client().post("/ask/")
            self.assertEqual([alias for alias, _ in log], ["replica2"])  # the edge doesn't keep it
            with override_settings(LARDER={**LARDER, "LIVE": "routers"}):
                self.assert_asks(lambda r: Ad.objects.count(), "replica2", HTTP_ACCEPT="*/*")

    def test_what_an_unchecked_replica_showed_is_never_kept_as_fresh(self):
        for routers, live, headers in [(["larder.routers.LarderRouter", "tests.test_router.ToReplica2"], "routers", {}),
                                       (["tests.test_router.ToReplica2", "larder.routers.LarderRouter"], "primary", {}),
                                       (["tests.test_router.ToReplica2", "larder.routers.LarderRouter"], "primary", routed("replica1"))]:
            with self.subTest(routers), override_settings(DATABASE_ROUTERS=routers, LARDER={**LARDER, "LIVE": live}):
                self.assertEqual(Client().get(f"/ad/{self.ad.pk}/", **headers)["Surrogate-Control"],
                                 "max-age=0, stale-while-revalidate=30, stale-if-error=600")
                script["run"] = lambda r: Ad.objects.count()
                self.assertEqual(Client().get("/ask/", **headers)["Surrogate-Control"], "no-store")
        self.assertEqual(Client().get(f"/ad/{self.ad.pk}/", **routed("replica1"))["Surrogate-Control"],
                         "max-age=60, stale-while-revalidate=30, stale-if-error=600")

    def test_disabled(self):
        with override_settings(LARDER={**LARDER, "ENABLED": False}):
            self.assert_primary(**routed("replica1"))

    def test_outside_of_a_request(self):
        with recorded() as log:
            Ad.objects.count()
        self.assertEqual([alias for alias, _ in log], ["default"])

    def test_route_ends_with_its_request(self):
        client = Client()
        script["run"] = lambda r: Ad.objects.get()._state.db
        self.assertEqual(client.get("/ask/", **routed("replica1")).content, b"replica1")
        self.assertEqual(client.get("/ask/").content, b"default")


class NeverLessThanTheRequestKnows(RouterCase):
    def test_read_after_update_in_atomic(self):
        def work(request):
            with transaction.atomic():
                Ad.objects.filter(pk=self.ad.pk).update(title="yacht")
                return Ad.objects.get(pk=self.ad.pk).title

        with replay_paused("replica1"):
            self.assertEqual(self.run_routed(work), ("yacht", ["default"] * 2))

    def test_any_read_in_atomic(self):
        def work(request):
            with transaction.atomic():
                ad = Ad.objects.get()
                ad.refresh_from_db()
                list(ad.labels.all())
                list(Ad.objects.raw("SELECT * FROM shop_ad"))

        self.assert_asks(work, *["default"] * 4)

    def test_read_after_write_without_transaction(self):
        def work(request):
            before = Ad.objects.get(pk=self.ad.pk)
            before.title = "yacht"
            before.save(update_fields=["title"])
            return Ad.objects.get(pk=self.ad.pk).title

        # All on the primary: the old row for the purge, the update, and the read after it.
        with replay_paused("replica1"):
            self.assertEqual(self.run_routed(work), ("yacht", ["replica1"] + ["default"] * 3))

    def test_read_after_raw_sql_write(self):
        def work(request):
            with connection.cursor() as cursor:
                cursor.execute("/* by hand */ UPDATE shop_ad SET title = 'yacht'")
            return Ad.objects.get(pk=self.ad.pk).title

        with replay_paused("replica1"):
            self.assertEqual(self.run_routed(work), ("yacht", ["default"] * 2))

    def test_read_only_raw_sql_does_not_pin(self):
        def work(request):
            with connection.cursor() as cursor:
                cursor.execute("WITH t AS (SELECT 1) SELECT * FROM t")
            return Ad.objects.count()

        self.assert_asks(work, "default", "replica1")

    def test_object_read_from_a_replica_is_saved_to_the_primary(self):
        def work(request):
            label = Label.objects.get()
            source = label._state.db
            label.delete()
            return source

        self.assertEqual(self.run_routed(work)[0], "replica1")
        self.assertFalse(Label.objects.using("default").exists())

    def test_new_relation_between_nodes_is_allowed(self):
        def work(request):
            category = Category.objects.get(name="books")
            ad = Ad.objects.create(title="atlas", category=category)
            ad.labels.add(Label.objects.using("replica2").get())
            return category._state.db, ad._state.db

        self.assertEqual(self.run_routed(work)[0], "('replica1', 'default')")

    def test_reads_that_announce_a_write(self):
        works = {
            "get_or_create": lambda r: Category.objects.get_or_create(name="boats"),
            "update_or_create": lambda r: Category.objects.update_or_create(name="boats", defaults={"name": "boats"}),
            "select_for_update": lambda r: transaction.atomic()(lambda: Category.objects.select_for_update().first())(),
        }
        for name, work in works.items():
            with self.subTest(name):
                self.assertEqual(set(self.run_routed(work)[1]), {"default"})

    def test_session_load_and_the_probe_for_a_new_one(self):
        store = SessionStore()
        store["who"] = "ada"
        store.save()
        await_replicas()
        self.assert_asks(lambda r: SessionStore(store.session_key)["who"], "default")

        def fresh(request):
            SessionStore().create()

        self.assertEqual(set(self.run_routed(fresh)[1]), {"default"})

    def test_always_primary_by_app_and_by_model(self):
        for label in ("shop", "shop.Ad"):
            with self.subTest(label), override_settings(LARDER={**LARDER, "ALWAYS_PRIMARY": [label]}):
                self.assert_asks(lambda r: Ad.objects.count(), "default")
        with override_settings(LARDER={**LARDER, "ALWAYS_PRIMARY": ["shop.Label"]}):
            self.assert_asks(lambda r: Ad.objects.count(), "replica1")

    def test_use_primary_as_context_and_decorator(self):
        def work(request):
            with larder.use_primary():
                with larder.use_primary():
                    Ad.objects.count()
                Ad.objects.count()
            return Ad.objects.count()

        self.assert_asks(work, "default", "default", "replica1")
        self.assert_asks(larder.use_primary()(lambda r: Ad.objects.count()), "default")

    def test_cursor_is_the_primarys(self):
        def work(request):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")

        self.assert_asks(work, "default")


class StaleReadsWithoutTheRules(RouterCase):
    def test_the_replica_really_lags(self):
        """Otherwise the tests above would prove nothing."""
        with replay_paused("replica1"):
            Ad.objects.update(title="yacht")
            old, _ = self.run_routed(lambda r: Ad.objects.get().title)
            new, _ = self.run_routed(lambda r: Ad.objects.get().title, **routed("default"))
        self.assertEqual((old, new), ("dinghy", "yacht"))


class Neighbours(RouterCase):
    def test_objects_of_other_databases_are_not_ours(self):
        ad = Ad(pk=1)
        ad._state.db = "elsewhere"
        router = LarderRouter()
        self.assertIsNone(router.db_for_read(Ad, instance=ad))
        self.assertIsNone(router.db_for_write(Ad, instance=ad))
        self.assertIsNone(router.allow_relation(ad, Ad()))

    def test_migrations_run_on_the_primary_only(self):
        router = LarderRouter()
        self.assertIs(router.allow_migrate("replica1", "shop"), False)
        self.assertIsNone(router.allow_migrate("default", "shop"))

    def test_edge_request_without_route_reads_the_primary(self):
        script["run"] = lambda r: Ad.objects.get()._state.db
        self.assertEqual(edge_client().get("/ask/").content, b"default")
