class ImportRefused(Exception):
    """The whole file is refused and nothing was changed; the text says what to do about it."""
