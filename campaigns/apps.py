from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns and contacts")

    def ready(self) -> None:
        from accounts import removal
        from campaigns.chosen_accounts import why_it_stays
        from sending import schedules

        removal.asked.connect(why_it_stays)
        schedules.declare("campaigns.jobs.tend_imports", schedules.EVERY_30_SECONDS)
