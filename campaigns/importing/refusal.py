from sending.longwork.running import WorkRefused


class ImportRefused(WorkRefused):
    """The whole file is refused and nothing was changed; the text says what to do about it."""
