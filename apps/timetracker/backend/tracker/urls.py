"""Everything under /api/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from . import views

router = SimpleRouter(trailing_slash=False)
router.register("projects", views.ProjectViewSet)
router.register("tasks", views.TaskViewSet)
router.register("entries", views.TimeEntryViewSet)
router.register("totals", views.DailyTotalViewSet)

urlpatterns = [
    path("health", views.health),
    path("version", views.version),
    *router.urls,
]
