"""What django-q2 calls of this room. A call that comes twice, late or never does no harm."""

from campaigns import import_actions
from campaigns.importing import running
from sending.heartbeat import at_work, beat


def run_imports() -> str:
    """Does one step of one import; the next one is a job of its own, so that batches get their turn."""
    with beat("imports") as outcome, at_work("imports"):
        if imported := running.run_next():
            outcome.text = f"import {imported.pk} is {imported.state}"
            if running.is_any_waiting():
                import_actions.wake_up()
    return outcome.text


def tend_imports() -> str:
    """Goes on with imports whose worker died, and removes old files."""
    with beat("tend_imports") as outcome:
        outcome.text = f"{import_actions.remove_old_files()} old files removed"
    return f"{outcome.text}; {run_imports()}"
