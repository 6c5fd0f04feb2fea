from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns and contacts")

    def ready(self) -> None:
        from accounts import removal
        from campaigns import contact_actions, export, queueing
        from campaigns.chosen_accounts import why_it_stays
        from campaigns.import_actions import remove_old_files
        from campaigns.importing import running as importing
        from campaigns.models import Import, Queueing
        from sending.exporting import sources
        from sending.longwork import running

        removal.asked.connect(why_it_stays)
        running.declare(
            running.Kind(Import, importing.run, importing.GIVEN_UP, importing.FAILED, tidy=remove_old_files)
        )
        running.declare(
            running.Kind(Queueing, queueing.run, queueing.GIVEN_UP, queueing.FAILED, refused=queueing.refused)
        )
        sources.declare(
            "contacts",
            sources.Source(("campaigns.view_contact",), contact_actions.chosen, contact_actions.table),
        )
        sources.declare("recipients", sources.Source(export.PERMISSIONS, export.chosen, export.table))
