from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from accounts import removal
        from campaigns.chosen_accounts import why_it_stays
        from sending import schedules

        removal.asked.connect(why_it_stays)
        schedules.declare("campaigns.jobs.tend_imports", schedules.EVERY_30_SECONDS)
