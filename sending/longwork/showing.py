"""How far long work is, for templates/partials/long_work.html."""

from typing import Any

from accounts.clock import database_now
from sending.life_signs import is_alive, last_sign
from sending.longwork.models import LongWork


def told(work: LongWork) -> dict[str, Any]:
    """percent, rows, attempts; is_held_up: no worker runs; is_waiting: workers have not come to it."""
    is_held_up = work.is_in_work and not is_alive(last_sign(), database_now())
    return {
        "percent": work.percent,
        "rows": work.rows_done,
        "attempts": work.attempts,
        "is_held_up": is_held_up,
        "is_waiting": work.slot is None and not is_held_up,
    }
