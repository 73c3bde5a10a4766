from django.urls import path

from . import views

urlpatterns = [
    path("health", views.health),
    path("version", views.version),
    path("panel", views.panel_),
    path("events", views.events),
    path("doorbell", views.doorbell),
    path("sensors/<slug:key>", views.sensor),
]
