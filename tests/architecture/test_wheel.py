"""The wheel carries everything: installed into an empty environment it migrates, serves a page and its files."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OPEN_A_PAGE = """
import sys
from pathlib import Path
from app import create_app
assert Path(sys.modules["app"].__file__).is_relative_to(Path(sys.prefix)), sys.modules["app"].__file__
client = create_app().test_client()
assert client.get("/sign-in").status_code == 200
assert client.get("/static/css/satchel.css").status_code == 200
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; the packages it needs are lent by the one the tests run in."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    target = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = Path(target.stdout.strip())
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(packages)], check=True)
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_opens_a_page(environment, tmp_path):
    settings = {"WORK_DIRECTORY": str(tmp_path / "var")}
    for command in (["-m", "flask", "--app", "wsgi", "db", "upgrade"], ["-c", OPEN_A_PAGE]):
        done = subprocess.run(
            [environment, *command], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
