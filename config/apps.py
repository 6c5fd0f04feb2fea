from django.apps import AppConfig


class BatchwiseConfig(AppConfig):
    """What belongs to the whole project and to no room: commands such as `demo`, the start page."""

    name = "config"
    verbose_name = "Batchwise"
