"""Write the generated pages: the table of environment variables in docs/deploy.md, and docs/rfcs.md.

python tools/generate_docs.py           write them
python tools/generate_docs.py --check   exit 1 if they are not what they should be
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from app.config import Config  # noqa: E402  (the path must be set first)

BEGIN, END = "<!-- generated: environment -->", "<!-- end -->"
REFERENCE = re.compile(r"RFC (\d{3,5})(?:,? (§+ ?[\dA-Z.]+(?:, ?§? ?[\d.]+)*))?")


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated page and its whole text."""
    deploy = HERE / "docs" / "deploy.md"
    before, _, rest = deploy.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    yield deploy, f"{before}{BEGIN}\n{environment_table()}{END}{after}"
    yield HERE / "docs" / "rfcs.md", rfc_page()


def environment_table() -> str:
    """A row for each setting of app/config.py."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    rows += [
        f"| `{item.metadata['env']}` | {shown(item.default)} | {item.metadata['meaning']} |"
        for item in dataclasses.fields(Config)
        if "env" in item.metadata
    ]
    return "\n".join(rows) + "\n"


def shown(default: object) -> str:
    if default is None:
        return "unset"
    if isinstance(default, bool):
        return "`1`" if default else "`0`"
    return f"`{default}`" if str(default) else "empty"


def rfc_page() -> str:
    """Which file follows which clause of which RFC, read from the references in the code."""
    places: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in tracked_code():
        for number, clause in REFERENCE.findall((HERE / path).read_text("utf-8")):
            places[int(number)][path].add(clause.strip().rstrip("."))
    rows = ["| RFC | file | clauses |", "| --- | --- | --- |"]
    for number in sorted(places):
        for path, clauses in sorted(places[number].items()):
            rows.append(f"| {number} | `{path}` | {', '.join(sorted(clauses - {''}))} |")
    return "# RFCs followed\n\nMade by `make docs` from the references in the code.\n\n" + "\n".join(rows) + "\n"


def tracked_code() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "app/*.py", "mailsite_ext/*.py"], cwd=HERE, check=True, capture_output=True, text=True
    )
    return sorted(listed.stdout.split())


def main() -> int:
    stale = [(path, text) for path, text in pages() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path, _ in stale:
            print(f"{path.relative_to(HERE)} is out of date; run: make docs")
        return 1 if stale else 0
    for path, text in stale:
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
