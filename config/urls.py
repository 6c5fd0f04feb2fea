from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from config.health import healthz
from sending.dashboard import dashboard

admin.site.site_header = "Batchwise"
admin.site.site_title = "Batchwise"
admin.site.index_title = "Batchwise"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("admin/dashboard/", admin.site.admin_view(dashboard), name="dashboard"),
    path("admin/", admin.site.urls),
]
