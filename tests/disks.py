"""Disks of their own for a PostgreSQL server: one that can be filled, one that can lose its power."""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from config import embedded_postgres, standby
from tests.cluster import another_server

MEGABYTE = 1_000_000
SHUTDOWN, AT_ONCE = 0x8004587D, 2  # FS_IOC_SHUTDOWN, FS_SHUTDOWN_FLAGS_NOLOGFLUSH of the kernel's linux/fs.h


class Disk:
    """A file system of its own, mounted at `folder`, for one server at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.data = folder / "data"

    @contextmanager
    def server(self) -> Iterator[None]:
        """A server on this disk, with the test's database."""
        try:
            with another_server(embedded_postgres.start(self.data)["HOST"]):
                yield
        finally:
            with suppress(OSError):  # its disk has no power
                embedded_postgres.stop(self.data, "immediate")


class SmallDisk(Disk):
    @classmethod
    @contextmanager
    def mounted(cls, megabytes: int) -> Iterator["SmallDisk"]:
        with _mounted("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs") as folder:
            yield cls(folder)

    def fill(self) -> Path:
        """Takes all that is left of the disk; returns the file that has it."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for piece in (MEGABYTE, 1000, 1):
                try:
                    while file.write(bytes(piece)) == piece:
                        pass
                except OSError:
                    continue
        return ballast


class MortalDisk(Disk):
    """One whose power can be cut: all that was not synced by then is lost."""

    @classmethod
    @contextmanager
    def mounted(cls, megabytes: int) -> Iterator["MortalDisk"]:
        image = Path(mkdtemp(prefix="batchwise-image-")).resolve() / "disk"
        try:
            with image.open("wb") as file:
                file.truncate(megabytes * MEGABYTE)
            _run_or_skip("mkfs.ext4", "-q", "-F", str(image))
            with _mounted(*cls._what(image)) as folder:
                yield cls(folder, image)
        finally:
            rmtree(image.parent)

    @staticmethod
    def _what(image: Path) -> tuple[str, ...]:
        return "-t", "ext4", "-o", "loop", str(image)

    def __init__(self, folder: Path, image: Path):
        super().__init__(folder)
        self.image = image

    def cut_power(self) -> None:
        """Nothing reaches the disk any more, and nothing says that it did; then the server is gone, too."""
        server = standby.processes_of(self.data)
        self._canary.write_text("not synced")
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", AT_ONCE))
        finally:
            os.close(folder)
        standby.kill(server)

    def power_up(self) -> None:
        """Mounts it again, as it was when the power went, and starts its server."""
        subprocess.run(["umount", str(self.folder)], check=True)
        subprocess.run(["mount", *self._what(self.image), str(self.folder)], check=True)
        # Its name may have come along with what others synced, its content can't: else it was no power cut.
        assert not self._canary.exists() or not self._canary.read_bytes()
        self._canary.unlink(missing_ok=True)  # a file that is written anew is synced by ext4 of itself
        embedded_postgres.start(self.data)

    @property
    def _canary(self) -> Path:
        return self.folder / "canary"


@contextmanager
def _mounted(*what: str) -> Iterator[Path]:
    folder = Path(mkdtemp(prefix="batchwise-disk-")).resolve()
    try:
        _run_or_skip("mount", *what, str(folder))
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        folder.rmdir()


def _run_or_skip(*command: str) -> None:
    try:
        done = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        told = "a disk of its own can't be had here: that takes root, and a container that may"
        pytest.skip(f"{told} ({command[0]})")
