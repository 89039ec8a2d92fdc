"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LONGEST_FILE = 400
# Longer ones need a reason, and it stands here.
LONGER_FILES: dict[str, str] = {}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def code() -> list[Path]:
    return tracked("app/*.py", "mailsite_ext/*.py", "wsgi.py", "demo/*.py", "tools/*.py", "bench/*.py")


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): n
        for path in code()
        if (n := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    }
    assert set(long) <= set(LONGER_FILES), long


def test_the_median_function_is_short():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in code()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert statistics.median(lengths) < 12


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\sstyle=", "the Content-Security-Policy forbids style attributes"),
        (r"\son[a-z]+=\"", "and inline handlers"),
        (r"<script(?![^>]*\bsrc=)", "and inline scripts"),
    ],
)
def test_templates_keep_the_policy(pattern, why):
    found = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in tracked("templates/*.html", "templates/**/*.html")
        for match in re.finditer(pattern, path.read_text("utf-8"))
    ]
    assert not found, (why, found)


# What nh3 wrote last (app/messages/sanitise.py), and nothing else.
SANITISED = {"templates/messages/_message.html", "templates/messages/body.html"}


def test_only_sanitised_mail_goes_out_unescaped():
    found = {
        str(path.relative_to(ROOT))
        for path in tracked("templates/*.html", "templates/**/*.html")
        if re.search(r"[\w)\]]\s*\|\s*safe\b", path.read_text("utf-8"))  # a literal of the template's own may
    }
    assert found == SANITISED


def whole(path: Path) -> str:
    """A template with what it includes."""
    text = path.read_text("utf-8")
    return re.sub(r'{%-? include "([^"]+)" -?%}', lambda found: whole(ROOT / "templates" / found[1]), text)


def test_every_post_form_carries_the_csrf_token():
    for path in tracked("templates/*.html", "templates/**/*.html"):
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", whole(path), re.DOTALL | re.IGNORECASE):
            assert "csrf" in form, f"{path.relative_to(ROOT)}: {form[:120]}"


def test_nothing_tracked_names_a_registry_or_a_home():
    own = {Path(__file__).resolve()}
    bad = re.compile(r"registry\.npmjs|pypi\.org|files\.pythonhosted|deb\.debian")
    found = [
        str(path)
        for path in tracked()
        if path.suffix in {".py", ".json", ".lock", ".md", ".toml", ".html", ".js"}
        and path not in own
        and bad.search(path.read_text("utf-8"))
    ]
    assert not found


def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, "tools/generate_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_webmail_stands_without_its_extension():
    script = "import sys; sys.modules['mailsite_ext'] = None; from app import create_app"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
