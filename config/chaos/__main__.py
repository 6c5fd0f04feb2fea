"""`make chaos`: runs it on a database of its own (var/chaos), whatever the environment and .env say."""

import os
import sys

from config.chaos.options import parse
from config.environment import BASE_DIR, VAR_DIR


def main() -> None:
    """Becomes config.chaos.run, with settings of its own."""
    parse()  # so that wrong usage is told before anything is started
    folder = VAR_DIR if VAR_DIR.name == "chaos" else VAR_DIR / "chaos"
    # Set and empty, not removed: what is in .env must not come back.
    own = {"BATCHWISE_VAR": str(folder), "BATCHWISE_ENV": "development", "DATABASE_URL": ""}
    own["SENT_FOLDER_LOOKS"] = "3,15,45"  # for the clusters, and for the harness that waits for them
    os.chdir(BASE_DIR)
    command = [sys.executable, "-m", "config.chaos.run", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, **own})  # noqa: S606


if __name__ == "__main__":
    main()
