from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from accounts import removal
        from campaigns.chosen_accounts import why_it_stays

        removal.asked.connect(why_it_stays)
