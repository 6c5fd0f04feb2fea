"""The clusters under test: each `manage.py watchdog` with its cluster, as in production.

What a service manager would do is done here: a watchdog that was killed is started again.
"""

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from config.processes import children, cluster_of, kill_all, launch, title

SHIM = Path(__file__).with_name("wrong_clock.c")


def build_shim(folder: Path) -> Path | None:
    """Compiles what makes a process see another time; None where there is no C compiler."""
    library = folder / "wrong_clock.so"
    if not (compiler := shutil.which("cc")):
        return None
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Clock:
    """What a cluster's host takes for the time: seconds ahead of the right one, and a time zone."""

    ahead: int = 0
    time_zone: str = "UTC"

    @property
    def is_right(self) -> bool:
        return self == RIGHT

    def environment(self, shim: Path | None) -> dict[str, str]:
        """The environment of its processes; without the shim only the time zone is wrong."""
        values = {"TIME_ZONE": self.time_zone, "TZ": self.time_zone}
        if self.ahead and shim:
            values |= {"LD_PRELOAD": str(shim), "CLOCK_AHEAD": str(self.ahead)}
        return values


RIGHT = Clock()


@dataclass
class Cluster:
    """One watchdog, and what it runs."""

    name: str
    watchdog: subprocess.Popen[bytes]
    clock: Clock = field(default=RIGHT)

    def main(self) -> psutil.Process | None:
        """The cluster's main process; None while there is none."""
        return cluster_of(self.watchdog.pid)

    def sentinel(self) -> psutil.Process | None:
        main = self.main()
        return next(iter(children(main)), None) if main else None

    def workers(self) -> list[psutil.Process]:
        """Its worker processes: what the sentinel started, but for monitor and pusher."""
        sentinel = self.sentinel()
        helpers = ("monitor", "pusher")
        return [p for p in children(sentinel) if not title(p).endswith(helpers)] if sentinel else []

    def processes(self) -> list[psutil.Process]:
        """All of the cluster, without its watchdog: main process first."""
        main = self.main()
        return [main, *children(main, recursive=True)] if main else []


class Fleet:
    """Any number of clusters on one database."""

    def __init__(self, logs: Path, environment: Mapping[str, str]):
        self.logs, self.environment = logs, environment
        self.shim = build_shim(logs)
        self.clusters: list[Cluster] = []
        self.watchdogs_restarted = 0
        self._number = 0

    def start(self, clock: Clock = RIGHT) -> Cluster:
        """Starts one more."""
        self._number += 1
        name = f"cluster-{self._number}"
        cluster = Cluster(name, self._launch(name, clock), clock)
        self.clusters.append(cluster)
        return cluster

    def _launch(self, name: str, clock: Clock) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("ab") as log:
            own = {"CLUSTER": name, **clock.environment(self.shim)}
            return launch("manage.py", "watchdog", log=log, **{**self.environment, **own})

    def revive(self) -> None:
        """Starts watchdogs that ended again, as a service manager does."""
        for cluster in self.clusters:
            if cluster.watchdog.poll() is not None:
                cluster.watchdog = self._launch(cluster.name, cluster.clock)
                self.watchdogs_restarted += 1

    def end(self, cluster: Cluster, within: float = 30) -> None:
        """SIGTERM, in order; kill -9 for what does not end by then."""
        self.clusters.remove(cluster)
        cluster.watchdog.terminate()
        try:
            cluster.watchdog.wait(within)
        except subprocess.TimeoutExpired:
            kill_all(cluster.processes())
            cluster.watchdog.kill()
            cluster.watchdog.wait()

    def end_all(self) -> None:
        for cluster in self.clusters:
            cluster.watchdog.terminate()
        for cluster in list(self.clusters):
            self.end(cluster)

    def kill_everything(self) -> None:
        """kill -9 of all that was started here: when the run itself was ended."""
        for cluster in self.clusters:
            found = cluster.processes()
            cluster.watchdog.kill()
            kill_all(found)
            cluster.watchdog.wait()


def is_talking(process: psutil.Process, port: int) -> bool:
    """Whether it has a connection to this port: a worker in the middle of a conversation."""
    with suppress(psutil.Error):
        return any(c.raddr and c.raddr.port == port for c in process.net_connections("tcp4"))
    return False
