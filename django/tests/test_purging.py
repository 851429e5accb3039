"""purge(): after the commit, with its position, once per request, and without ever failing the write."""
import asyncio
import contextvars
import io
import os
import socket
import tempfile
from unittest import mock

from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django.test import Client, RequestFactory, override_settings

import larder
from larder import outbox, registration
from larder.client import Daemon, DaemonError, breaker_of
from larder.middleware import LarderMiddleware
from larder.purging import MAX_NAMES_PER_CALL
from larder.test import capture_purges, edge_client
from tests.base import DatabaseCase, answer, async_get, await_true, recorded, replayed
from tests.daemon import TOKEN, daemon, dripping
from tests.settings import LARDER
from tests.shop.models import Ad, AdProxy, Category, Label, Note, Place, Topic
from tests.shop.views import script


def with_daemon(url, **more):
    return override_settings(LARDER={**LARDER, "DAEMON": url, "TOKEN": TOKEN, **more})


class WhenPurgesAreSent(DatabaseCase):
    def test_at_once_outside_of_a_transaction(self):
        with capture_purges() as purges:
            larder.purge(tags=["a"])
            self.assertEqual(purges.tags, {"a"})

    def test_after_the_commit_inside_one(self):
        with capture_purges() as purges:
            with transaction.atomic():
                larder.purge(tags=["a"], urls=["http://site/x"])
                self.assertEqual(purges.calls, [])
            self.assertEqual((purges.tags, purges.urls), ({"a"}, {"http://site/x"}))

    def test_never_for_a_rollback(self):
        with capture_purges() as purges:
            with transaction.atomic():
                larder.purge(tags=["kept"])
                with self.assertRaises(IntegrityError), transaction.atomic():
                    Ad.objects.create(title="no category")
                with transaction.atomic():
                    larder.purge(tags=["dropped"])
                    transaction.set_rollback(True)
            self.assertEqual(purges.tags, {"kept"})

    def test_batch_sends_once_even_if_the_block_raises(self):
        with capture_purges() as purges:
            with self.assertRaises(ZeroDivisionError), larder.batch():
                larder.purge(tags=["a"])
                with larder.batch():
                    larder.purge(tags=["a", "b"])
                self.assertEqual(purges.calls, [])
                1 / 0
            self.assertEqual([names for _, names, _ in purges.calls], [{"tags": ["a", "b"]}])

    def test_many_names_go_in_parts(self):
        with capture_purges() as purges:
            larder.purge(tags=[f"t{i}" for i in range(2 * MAX_NAMES_PER_CALL + 1)])
        self.assertEqual([len(names["tags"]) for _, names, _ in purges.calls], [MAX_NAMES_PER_CALL] * 2 + [1])

    def test_bad_arguments_are_refused_at_the_call(self):
        for arguments in ({"tags": "one"}, {"tags": [""]}, {"urls": ["relative"]}, {"urls": ["/no/site"]},
                          {"tags": ["a"], "mode": "fast"}):
            with self.subTest(arguments), self.assertRaises(ValueError):
                larder.purge(**arguments)

    def test_any_text_is_a_tag(self):
        for tag, sent in [("town:New York", "town:New%20York"), ("town:Zürich", "town:Z%C3%BCrich"), ("100%", "100%25"),
                          ("a,b", "a%2Cb"), ("q:C*", "q:C%2A"), ("*a", "*a"), ("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie:%20x"), ("\x00", "%00"), (7, "7"),
                          ("\udc80", "%ED%B2%80"), ("it's/\"fine\";[ok]{}", "it's/\"fine\";[ok]{}")]:
            with self.subTest(tag), capture_purges() as purges:
                larder.purge(tags=[tag])
                self.assertEqual(purges.tags, {sent})

    def test_a_long_tag_is_sent_as_its_start_and_a_digest(self):
        with capture_purges() as purges:
            larder.purge(tags=["x" * 255, "ü" * 100, "ü" * 101])
        self.assertEqual(len(purges.tags), 3)
        self.assertLessEqual({len(tag) for tag in purges.tags}, {255})

    def test_what_outlives_a_request_sends_by_itself(self):
        """A thread or task that a view has started still has the context of its request after the request's end."""
        kept = {}
        script["run"] = lambda request: kept.update(context=contextvars.copy_context())
        Client().get("/ask/")
        with capture_purges() as purges:
            kept["context"].run(larder.purge, tags=["late"])
            self.assertEqual(purges.tags, {"late"})

    def test_a_request_that_is_torn_away_purges_what_it_has_committed(self):
        """For instance, gunicorn ends a worker that takes too long (SystemExit), or the client leaves (CancelledError)."""
        for error in (SystemExit, KeyboardInterrupt):
            def run(request):
                larder.purge(tags=["committed"])
                raise error

            script["run"] = run
            with self.subTest(error), capture_purges() as purges, self.assertRaises(error):
                Client().get("/ask/")
            self.assertEqual(purges.tags, {"committed"})

    def test_an_async_request_that_is_cancelled_purges_what_it_has_committed(self):
        async def leave(get_response):
            with self.assertRaises(asyncio.CancelledError):
                await LarderMiddleware(get_response)(RequestFactory().get("/"))

        async def cancelled(request):
            larder.purge(tags=["committed"])
            raise asyncio.CancelledError

        with capture_purges() as purges:
            async_to_sync(leave)(cancelled)
        self.assertEqual(purges.tags, {"committed"})

    def test_paths_are_completed(self):
        with override_settings(LARDER={**LARDER, "SITE": "https://example.org/"}), capture_purges() as purges:
            larder.purge(urls=["/a/?b=c"])
        self.assertEqual(purges.urls, {"https://example.org/a/?b=c"})

    def test_async_code(self):
        with capture_purges() as purges:
            async_get("/purge-async/")
        self.assertEqual(purges.tags, {"from-async"})

        async def outside_of_a_request():
            larder.purge(tags=["a"])

        with self.assertRaises(SynchronousOnlyOperation):
            async_to_sync(outside_of_a_request)()


class WhatTheDaemonGets(DatabaseCase):
    def write(self):
        return Client().get(f"/write/?pk={self.ad.pk}&title=yacht")

    def test_one_call_of_each_kind_before_the_response_leaves_and_after_the_commit(self):
        seen = []

        def look(body):
            # Another connection, like that of another process: it sees committed data only.
            await_true(lambda: replayed("replica1", body["position"]), "replay")
            seen.append(Ad.objects.using("replica1").get(pk=self.ad.pk).title)

        with daemon(on_call=look) as server, with_daemon(server.url, TIMEOUT=20):
            self.assertEqual(self.write().status_code, 200)
            calls = list(server.calls)
        self.assertEqual(seen, ["yacht", "yacht"])
        self.assertEqual([(path, token) for path, token, _ in calls], [("/v1/purge", f"Bearer {TOKEN}")] * 2)
        bodies = [body for _, _, body in calls]
        self.assertEqual([(b["tags"], b["urls"], b["mode"]) for b in bodies],
                         [([f"ad:{self.ad.pk}", "front"], [], "soft"), ([], ["http://testserver/"], "soft")])
        for body in bodies:
            self.assertRegex(body["position"], r"^pg1/\d+/1/[0-9A-F]+$")

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory, daemon(os.path.join(directory, "api.sock")) as server:
            self.assertEqual(Daemon(server.url, TOKEN).purge(tags=["a"]), {"sequence": 7, "purged": 2})
            self.assertEqual(server.calls, [("/v1/purge", f"Bearer {TOKEN}", {"tags": ["a"], "urls": [], "mode": "soft"})])

    def assert_written_and_logged(self, url, text, **settings):
        with with_daemon(url, **settings), self.assertLogs("larder.purge", "ERROR") as logs:
            self.assertEqual(self.write().status_code, 200)
        self.assertEqual(answer("default", "SELECT title FROM shop_ad"), "yacht")
        self.assertIn(text, logs.output[0])
        self.assertIn(f"ad:{self.ad.pk}", logs.output[0])

    def test_a_dead_daemon_costs_no_write(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused, and no other process can use the port
            self.assert_written_and_logged(f"http://127.0.0.1:{taken.getsockname()[1]}", "refused")

    def test_a_silent_daemon_costs_the_timeout(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            self.assert_written_and_logged(f"http://127.0.0.1:{silent.getsockname()[1]}", "timed out", TIMEOUT=0.05)

    def test_a_refusing_or_babbling_daemon_costs_no_write(self):
        with daemon(answer=(403, b"wrong token")) as server:
            self.assert_written_and_logged(server.url, "403: wrong token")
        with daemon(answer=(200, b"<html>")) as server:
            self.assert_written_and_logged(server.url, "not JSON")

    def test_a_daemon_that_answers_byte_by_byte_costs_the_timeout(self):
        with dripping(0.05) as url:
            self.assert_written_and_logged(url, "timed out", TIMEOUT=0.2)

    def test_the_timeout_is_for_all_calls_together_and_whoever_failed_is_not_asked_again_at_once(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with with_daemon(url, TIMEOUT=0.05), self.assertLogs("larder.purge", "ERROR") as logs:
                larder.purge(tags=[f"t{i}" for i in range(3 * MAX_NAMES_PER_CALL)])
                larder.purge(tags=["later"])
            silent.settimeout(0)
            silent.accept()[0].close()
            with self.assertRaises(BlockingIOError):
                silent.accept()
        self.assertEqual(len(logs.output), 4)
        self.assertIn("asked again in", logs.output[-1])

    def test_bad_addresses(self):
        for url in ("", "127.0.0.1:80", "ftp://x", "unix:relative", "http://host/path"):
            with self.subTest(url), self.assertRaises(ValueError):
                Daemon(url)
        with self.assertRaises(DaemonError):
            Daemon("unix:/nonexistent/api.sock").purge(tags=["a"])


class WhatTheDaemonCouldNotTake(DatabaseCase):
    """The outbox: purges are kept in the database, and sent later."""

    def setUp(self):
        super().setUp()
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "api.sock")
        self.breaker = breaker_of(f"unix:{self.path}")

    def purge(self, *tags):
        with self.assertLogs("larder.purge", "ERROR") as logs:
            larder.purge(tags=tags)
        self.assertIn("not purged yet", logs.output[0])

    def sent(self, server):
        return [body["tags"] for _, _, body in server.calls]

    def await_empty(self):
        await_true(lambda: answer("default", "SELECT count(*) FROM larder_outbox") == 0, "the outbox is empty")

    def test_it_is_sent_once_the_daemon_is_back(self):
        with with_daemon(f"unix:{self.path}"):
            self.purge("first")
            self.purge("second")
            self.assertEqual(answer("default", "SELECT count(*) FROM larder_outbox"), 2)
            with daemon(self.path) as server:
                self.await_empty()
                self.assertEqual(self.sent(server), [["first"], ["second"]])
                self.assertRegex(server.calls[0][2]["position"], r"^pg1/\d+/1/[0-9A-F]+$")

    def test_what_a_process_that_died_has_kept_is_sent_by_another(self):
        with with_daemon(f"unix:{self.path}"), mock.patch.object(outbox._watcher, "wake"):
            self.purge("orphan")
        self.breaker.succeeded()
        outbox._watcher.looked = None
        with daemon(self.path) as server, with_daemon(f"unix:{self.path}"):
            larder.purge(tags=["mine"])
            self.await_empty()
            self.assertEqual(self.sent(server), [["mine"], ["orphan"]])

    def test_by_hand(self):
        with with_daemon(f"unix:{self.path}"), mock.patch.object(outbox._watcher, "wake"):
            self.purge("kept")
            with self.assertRaisesMessage(CommandError, "1 purges are still kept"):
                call_command("larder_flush")
            self.breaker.succeeded()
            with daemon(self.path) as server:
                call_command("larder_flush", stdout=io.StringIO())
            self.assertEqual(self.sent(server), [["kept"]])
        self.await_empty()

    def test_what_the_daemon_refuses_is_not_kept(self):
        with daemon(self.path, answer=(400, b"no")) as server, with_daemon(server.url):
            with self.assertLogs("larder.purge", "ERROR"):
                larder.purge(tags=["a"])
            self.assertFalse(outbox._model().objects.using("default").exists())
            outbox._model().objects.using("default").create(call='{"tags": ["old"], "mode": "soft", "position": ""}')
            with self.assertLogs("larder.purge", "ERROR"):
                outbox.flush()
        self.await_empty()

    def test_what_the_daemon_refuses_takes_nothing_else_with_it(self):
        with daemon(self.path, answer=(400, b"no")) as server, with_daemon(server.url), self.assertLogs("larder.purge", "ERROR"):
            with larder.batch():
                larder.purge(tags=["a", "b"])
        self.assertEqual(self.sent(server), [["a", "b"], ["a"], ["b"]])

    def test_a_token_that_cannot_be_sent_loses_no_purge(self):
        with with_daemon(f"unix:{self.path}", TOKEN="to\nken"), daemon(self.path), self.assertLogs("larder.purge", "ERROR"):
            larder.purge(tags=["kept"])
        self.assertTrue(outbox._model().objects.using("default").exists())

    def test_without_a_table_or_by_choice_it_is_only_logged(self):
        with with_daemon(f"unix:{self.path}", OUTBOX=False), self.assertLogs("larder.purge", "ERROR") as logs:
            larder.purge(tags=["a"])
        self.assertIn("not purged: ", logs.output[0])
        answer("default", "ALTER TABLE larder_outbox RENAME TO elsewhere; SELECT 1")
        try:
            with with_daemon(f"unix:{self.path}"), self.assertLogs("larder.purge", "ERROR") as logs:
                self.assertEqual(Client().get(f"/write/?pk={self.ad.pk}&title=yacht").status_code, 200)
        finally:
            answer("default", "ALTER TABLE elsewhere RENAME TO larder_outbox; SELECT 1")
        self.assertIn("manage.py migrate larder", logs.output[0])

    def test_the_outbox_is_not_counted_as_the_requests_own_queries(self):
        with with_daemon(f"unix:{self.path}"), mock.patch.object(outbox._watcher, "wake"), self.assertLogs("larder.purge", "ERROR"):
            response = edge_client().get(f"/write/?pk={self.ad.pk}&title=yacht")
        self.assertRegex(response["Larder-Queries"], r"^n=3;")  # the update, and two queries for its position


class RegisteredModels(DatabaseCase):
    def assert_purges(self, work, *tags):
        with capture_purges() as purges:
            work()
        self.assertEqual(purges.tags, set(tags))

    def test_create(self):
        self.assert_purges(lambda: Ad.objects.create(title="atlas", category=self.books), "ad:2", "category:2")

    def test_a_moved_object_leaves_its_old_place(self):
        self.ad.category = self.books
        self.assert_purges(self.ad.save, "ad:1", "category:1", "category:2")

    def test_a_save_under_a_known_key(self):
        self.assert_purges(Ad(pk=1, title="atlas", category=self.books).save, "ad:1", "category:1", "category:2")

    def test_nothing_is_sent_before_the_commit(self):
        def look(body):
            titles.append(answer("default", "SELECT title FROM shop_ad"))

        titles = []
        self.ad.title = "yacht"
        with daemon(on_call=look) as server, with_daemon(server.url):
            self.ad.save()
            self.assertEqual(len(server.calls), 1)
        self.assertEqual(titles, ["yacht"])

    def test_failed_save(self):
        def work():
            with self.assertRaises(IntegrityError):
                Ad(pk=1, title="atlas", category_id=None).save()

        self.assert_purges(work)

    def test_delete_also_by_cascade_and_by_queryset(self):
        self.assert_purges(self.boats.delete, "ad:1", "category:1")
        Ad.objects.create(title="atlas", category=self.books)
        self.assert_purges(lambda: Ad.objects.filter(title="atlas").delete(), "ad:2", "category:2")

    def test_subclasses_and_proxies(self):
        self.assert_purges(AdProxy.objects.get(pk=1).save, "ad:1", "category:1")

    def test_unregistered_models(self):
        self.assert_purges(lambda: Category.objects.create(name="cars"))

    def test_other_models_are_left_alone(self):
        """A receiver for all models would make Django load objects before it deletes them, and query before it adds relations."""
        for signal in (pre_save, post_save, pre_delete, post_delete):
            for model in (Note, Topic, Category, Note.labels.through):
                self.assertFalse(signal.has_listeners(model), (signal, model))
            for model in (Ad, AdProxy, Label, Place):
                self.assertTrue(signal.has_listeners(model), (signal, model))
        self.assertTrue(m2m_changed.has_listeners(Ad.labels.through))
        self.assertFalse(m2m_changed.has_listeners(Note.labels.through))
        Topic.objects.bulk_create(Topic(name=f"{i}") for i in range(500))
        note = Note.objects.create(text="x")
        topics = list(Topic.objects.all())
        with recorded() as log:
            note.labels.add(*topics)
        self.assertEqual(len(log), 1, log)
        note.labels.clear()
        with recorded() as log:
            Note.labels.through.objects.all().delete()
        self.assertEqual(len(log), 1, log)

    def test_models_that_are_defined_later(self):
        class LateAd(Ad):
            class Meta:
                proxy = True
                app_label = "shop"

        self.assert_purges(LateAd.objects.get(pk=1).save, "ad:1", "category:1")
        self.assertTrue(pre_delete.has_listeners(LateAd))

    def test_tags_from_what_people_type(self):
        self.assert_purges(lambda: Place.objects.create(town="New York"), "place:1", "town:New%20York", "first:N")
        self.assert_purges(lambda: Place.objects.create(town="Zürich"), "place:2", "town:Z%C3%BCrich", "first:Z")

    def test_tags_that_cannot_be_made_cost_neither_the_write_nor_the_rest(self):
        place = Place.objects.create(town="Rome")
        place.town = ""  # its tag function takes the first letter, and fails
        with self.assertLogs("larder.purge", "ERROR") as logs:
            self.assert_purges(place.save, "place:1", "town:Rome", "first:R")
        self.assertIn("the tags of shop.Place 1 can't be made", logs.output[0])
        self.assertEqual(Place.objects.get().town, "")
        with self.assertLogs("larder.purge", "ERROR"):
            self.assert_purges(place.delete)
        self.assertFalse(Place.objects.exists())

    def test_one_empty_tag_costs_only_itself(self):
        original = registration._tags_of[Place]
        registration._tags_of[Place] = lambda place: ["", f"place:{place.pk}"]
        self.addCleanup(registration._tags_of.__setitem__, Place, original)
        with self.assertLogs("larder.purge", "ERROR"):
            self.assert_purges(lambda: Place.objects.create(town="Rome"), "place:1")

    def test_a_request_survives_its_tags(self):
        response = Client().post("/place/?town=Z%C3%BCrich")
        self.assertEqual((response.status_code, response["Surrogate-Key"]), (200, "town:Z%C3%BCrich"))
        with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True), mock.patch("larder.decorators.add_tags", side_effect=KeyError), \
                self.assertLogs("larder.middleware", "ERROR"):
            response = Client().post("/place/?town=Rome")
        self.assertEqual((response.status_code, response["Surrogate-Control"]), (200, "no-store"))

    def test_many_to_many_from_both_sides(self):
        both = ("ad:1", "category:1", "label:1")
        self.assert_purges(lambda: self.ad.labels.remove(self.label), *both)
        self.assert_purges(lambda: self.ad.labels.add(self.label), *both)
        self.assert_purges(self.ad.labels.clear, *both)
        self.assert_purges(lambda: self.label.ad_set.add(self.ad), *both)
        self.assert_purges(lambda: self.label.ad_set.remove(self.ad), *both)
        self.ad.labels.add(self.label)
        self.assert_purges(self.label.ad_set.clear, *both)
        new = Label.objects.create(name="new")
        self.ad.labels.add(self.label)
        self.assert_purges(lambda: self.ad.labels.set([new]), *both, f"label:{new.pk}")

    def test_update_and_purge(self):
        Ad.objects.create(title="atlas", category=self.books)

        def work():
            count = Ad.objects.filter(title="dinghy").update_and_purge(category=self.books, title="book of boats")
            self.assertEqual(count, 1)

        self.assert_purges(work, "ad:1", "category:1", "category:2")
        self.assertEqual(Ad.objects.get(pk=1).category, self.books)
        self.assertEqual(Ad.objects.get(pk=2).title, "atlas")
