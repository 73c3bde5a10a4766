import tempfile

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone
from rest_framework.test import APITestCase

from config.version import APP_VERSION
from tracker.models import DailyTotal, Project, TimeEntry

from .factories import DAY, at, make_entry, make_task


class ReferenceDataTests(APITestCase):
    def test_a_project_and_its_task_are_created(self) -> None:
        project = self.client.post("/api/projects", {"name": "Windmill"})
        task = self.client.post("/api/tasks", {"project": project.data["id"], "name": "Design"})

        self.assertEqual((project.status_code, task.status_code), (201, 201))
        self.assertEqual(self.client.get("/api/tasks").data, [task.data])

    def test_a_project_name_is_taken_once(self) -> None:
        Project.objects.create(name="Windmill")
        self.assertEqual(self.client.post("/api/projects", {"name": "Windmill"}).status_code, 400)

    def test_a_task_name_is_taken_once_in_its_project_and_free_in_another(self) -> None:
        make_task("Windmill", "Design")
        other = Project.objects.create(name="Harbour")
        taken = {"project": Project.objects.get(name="Windmill").pk, "name": "Design"}

        self.assertEqual(self.client.post("/api/tasks", taken).status_code, 400)
        self.assertEqual(self.client.post("/api/tasks", taken | {"project": other.pk}).status_code, 201)

    def test_projects_are_archived_and_never_deleted(self) -> None:
        project = Project.objects.create(name="Windmill")
        patched = self.client.patch(f"/api/projects/{project.pk}", {"archived": True})

        self.assertIs(patched.data["archived"], True)
        self.assertEqual(self.client.delete(f"/api/projects/{project.pk}").status_code, 405)

    def test_the_version_is_served(self) -> None:
        self.assertEqual(self.client.get("/api/version").json(), {"version": APP_VERSION})


class EntryTests(APITestCase):
    def test_a_time_without_an_offset_is_warsaw_time(self) -> None:
        entry = {"task": make_task().pk, "started_at": f"{DAY}T09:00", "ended_at": f"{DAY}T10:30"}
        created = self.client.post("/api/entries", entry)

        self.assertEqual(created.status_code, 201)
        self.assertEqual(created.data["started_at"], f"{DAY}T09:00:00+01:00")
        self.assertEqual((created.data["project_name"], created.data["task_name"]), ("Windmill", "Design"))

    def test_a_day_runs_from_midnight_to_midnight_in_warsaw(self) -> None:
        make_entry("23:59", None, day="2025-03-14")
        first = make_entry("00:00", None)
        last = make_entry("23:59", None)
        make_entry("00:00", None, day="2025-03-16")

        listed = self.client.get("/api/entries", {"day": DAY}).data
        self.assertEqual([entry["id"] for entry in listed], [first.pk, last.pk])

    def test_the_day_the_clocks_change_has_all_its_entries(self) -> None:
        entries = [make_entry(start, None, day="2025-10-26") for start in ("00:00", "23:59")]

        listed = self.client.get("/api/entries", {"day": "2025-10-26"}).data
        self.assertEqual([entry["id"] for entry in listed], [entry.pk for entry in entries])

    def test_without_a_day_the_list_is_todays(self) -> None:
        make_entry()
        today = TimeEntry.objects.create(task=make_task(), started_at=timezone.now())

        self.assertEqual([entry["id"] for entry in self.client.get("/api/entries").data], [today.pk])

    def test_a_day_that_is_none_is_refused(self) -> None:
        self.assertEqual(self.client.get("/api/entries", {"day": "yesterday"}).status_code, 400)

    def test_an_entry_ends_after_it_starts(self) -> None:
        backwards = {"task": make_task().pk, "started_at": f"{DAY}T09:00", "ended_at": f"{DAY}T09:00"}
        self.assertIn("ended_at", self.client.post("/api/entries", backwards).data)

    def test_an_entry_ends_after_it_starts_when_only_one_end_is_sent(self) -> None:
        entry = make_entry("09:00", "10:00")
        self.assertEqual(self.client.patch(f"/api/entries/{entry.pk}", {"started_at": at("11:00")}).status_code, 400)

    def test_the_database_refuses_what_the_api_would(self) -> None:
        with self.assertRaises(IntegrityError), transaction.atomic():
            make_entry("10:00", "09:00")

    def test_a_running_entry_is_stopped(self) -> None:
        entry = make_entry("09:00", None)
        stopped = self.client.patch(f"/api/entries/{entry.pk}", {"ended_at": f"{DAY}T10:00"})
        self.assertEqual(stopped.data["ended_at"], f"{DAY}T10:00:00+01:00")

    def test_an_entry_is_deleted(self) -> None:
        entry = make_entry()
        self.assertEqual(self.client.delete(f"/api/entries/{entry.pk}").status_code, 204)
        self.assertEqual(self.client.get(f"/api/entries/{entry.pk}").status_code, 404)

    def test_an_attachment_is_stored_under_media(self) -> None:
        entry = {
            "task": make_task().pk,
            "started_at": f"{DAY}T09:00",
            "attachment": SimpleUploadedFile("report.txt", b"done"),
        }
        with tempfile.TemporaryDirectory() as media, override_settings(MEDIA_ROOT=media):
            created = self.client.post("/api/entries", entry, format="multipart")
            stored = TimeEntry.objects.get().attachment.read()

        self.assertIn("/media/attachments/", created.data["attachment"])
        self.assertEqual(stored, b"done")


class TotalTests(APITestCase):
    def test_the_totals_of_a_day_are_listed_by_project(self) -> None:
        project = make_task().project
        DailyTotal.objects.create(date=DAY, project=project, seconds=5400)
        DailyTotal.objects.create(date="2025-03-16", project=project, seconds=60)

        expected = {"date": DAY, "project": project.pk, "project_name": "Windmill", "seconds": 5400}
        self.assertEqual(self.client.get("/api/totals", {"day": DAY}).json(), [expected])
