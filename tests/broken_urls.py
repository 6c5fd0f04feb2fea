"""The project's addresses, and one whose page breaks."""

from django.urls import path

from config.urls import urlpatterns as ours


def broken(request):
    raise RuntimeError("This page is broken.")


urlpatterns = [path("broken/", broken), *ours]
