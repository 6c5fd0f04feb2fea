from django.contrib import admin
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView

from config.health import healthz
from sending.dashboard import dashboard, front_page, resume

admin.site.site_header = "Batchwise"
admin.site.site_title = "Batchwise"
admin.site.index_title = _("All tables")
admin.site.empty_value_display = "–"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    # The dashboard stands where the admin's index would; that one is "All tables".
    path("admin/", admin.site.admin_view(front_page)),
    path("admin/dashboard/", admin.site.admin_view(dashboard), name="dashboard"),
    path("admin/dashboard/resume/<int:account_id>/", admin.site.admin_view(resume), name="resume_account"),
    path("admin/tables/", admin.site.admin_view(admin.site.index), name="tables"),
    path("admin/", admin.site.urls),
]
