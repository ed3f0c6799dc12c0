"""Makes `_sync` from `_async`: the same code without the words that await.

scripts/unasync.py          writes the files
scripts/unasync.py --check  fails when they are not what it would write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "openclaw_rating"
HEADER = "# Made by scripts/unasync.py from _async/{name}: change that one.\n"

RULES = [
    (r"Awaitable, ", ""),
    (r"Awaitable\[(\w+)\]", r"\1"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baiter_lines\b", "iter_lines"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b_Async(?=[A-Z])", "_"),
    (r"`_sync` is made from here by `scripts/unasync.py`", "written by `scripts/unasync.py`"),
]


def unasync(source: str, name: str) -> str:
    """The blocking form of a module."""
    for pattern, replacement in RULES:
        source = re.sub(pattern, replacement, source)
    # What were two names may be one now.
    source = re.sub(r"^(from .* import )(.*)$", _tidy, source, flags=re.MULTILINE)
    return HEADER.format(name=name) + source


def _tidy(line: re.Match[str]) -> str:
    names = line[2]
    if "(" in names:
        return line[0]
    return line[1] + ", ".join(sorted(dict.fromkeys(names.split(", ")), key=_order))


def _order(name: str) -> tuple[bool, bool, str]:
    """As the linter sorts imports: constants, classes, the rest."""
    return (not name.isupper(), not name[:1].isupper(), name)


def main() -> int:
    """Write, or check."""
    stale = []
    for path in sorted((PACKAGE / "_async").glob("*.py")):
        made = unasync(path.read_text(), path.name)
        target = PACKAGE / "_sync" / path.name
        if not target.exists() or target.read_text() != made:
            stale.append(target)
            if "--check" not in sys.argv[1:]:
                target.write_text(made)
    for target in stale:
        print(f"{target.relative_to(PACKAGE.parent)} {'is stale' if '--check' in sys.argv[1:] else 'written'}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
