from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from sending import schedules

        schedules.declare("campaigns.jobs.tend_imports", schedules.EVERY_MINUTE)
