"""What `make` offers, and what it says when something is missing."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # An outer make (this is `make test`) hands its own settings down.
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**outer, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_make_help_lists_every_target():
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    listed = re.findall(r"^make (\w+) +\S", make("help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets)
    assert {"install", "demo", "test", "lint", "run"} <= set(listed)


def test_make_alone_gives_the_help():
    assert make().stdout == make("help").stdout


def test_without_a_python_that_is_new_enough_install_names_the_package(tmp_path):
    ended = make("install", f"VENV={tmp_path}/venv", "PYTHON=")
    assert ended.returncode != 0
    assert ended.stderr.startswith("Batchwise needs Python 3.11 or newer (Debian: apt-get install python3")
    assert not (tmp_path / "venv").exists()


def test_without_the_venv_module_install_names_the_package(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1;; esac\n')
    python.chmod(0o755)
    ended = make("install", f"VENV={tmp_path}/venv", f"PYTHON={python}")
    assert ended.returncode != 0
    assert "(Debian: apt-get install python3-venv)" in ended.stderr


def test_requirements_name_no_index_host():
    for path in (ROOT / "requirements").iterdir():
        assert not re.search(r"://|--(extra-)?index-url|--trusted-host|--find-links", path.read_text()), path
