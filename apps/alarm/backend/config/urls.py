"""Everything HTTP is below /api/; the page is nginx's or Vite's, and /ws/ is in asgi.py."""

from django.urls import include, path

urlpatterns = [path("api/", include("alarm.urls"))]
