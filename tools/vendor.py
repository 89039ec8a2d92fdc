"""Install the browser's third-party files from package-lock.json and lay those the pages use into static/vendor.

The folder is ignored by git and put into the wheel.  Pages work without it: the composer falls back to plain text.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENDOR = HERE / "static" / "vendor"

# What a package ships → what it is called here; licences travel with the code.
FILES = {
    "squire-rte/dist/squire.mjs": "squire.js",
    "squire-rte/LICENSE": "squire.LICENSE.txt",
    "dompurify/dist/purify.es.mjs": "dompurify.js",
    "dompurify/LICENSE": "dompurify.LICENSE.txt",
}


def main() -> None:
    """Fetch exactly what the lock file names, run none of its scripts, copy the files of FILES.

    With the word `tests` the packages of the tests, too.
    """
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if "tests" not in sys.argv[1:]:
        command.append("--omit=dev")
    done = subprocess.run(command, cwd=HERE, check=False)
    if done.returncode:
        sys.exit("npm could not install the packages of package-lock.json.")
    copy_files(HERE / "node_modules", VENDOR)


def copy_files(packages: Path, vendor: Path) -> None:
    """Lay the files of FILES into `vendor`, which holds nothing else afterwards."""
    shutil.rmtree(vendor, ignore_errors=True)
    vendor.mkdir(parents=True)
    for source, name in FILES.items():
        text = (packages / source).read_text("utf-8")
        (vendor / name).write_text(without_source_map(text), "utf-8")


def without_source_map(script: str) -> str:
    """A source map is not shipped, so nothing asks for one."""
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith("//# sourceMappingURL="))


if __name__ == "__main__":
    main()
