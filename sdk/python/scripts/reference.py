"""Makes docs/reference.md from the docstrings.

scripts/reference.py          writes the page
scripts/reference.py --check  fails when it is not what it would write
"""

from __future__ import annotations

import sys
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
MODULES = ["", "metrics", "otel", "integrations", "testing"]
RESOURCES = ["Agents", "Policies", "KV", "Usage", "Prices", "ClusterView"]
INTRO = """# API reference

Made from the docstrings by `scripts/reference.py`. The awaiting forms `AsyncOpenClawClient`, `AsyncTokenBucket` and
`AsyncReservation` have the same methods with the same arguments.
"""


def main() -> int:
    """Write, or check."""
    package = griffe.load(
        "openclaw_rating", search_paths=[str(ROOT / "src")], docstring_parser="google", resolve_aliases=True
    )
    assert isinstance(package, griffe.Module)
    made = INTRO + "".join(_module(package, name) for name in MODULES)
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != made:
            print(f"{PAGE.name} is stale: run scripts/reference.py")
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(made)
    return 0


def _module(package: griffe.Module, name: str) -> str:
    module = package[name] if name else package
    lines = [f"\n## {module.path}\n\n{_text(module)}"]
    for exported in sorted(str(one) for one in module.exports or []):
        if exported.startswith(("Async", "__")):
            continue
        lines.append(_object(exported, module[exported], 3))
    if not name:
        resources = package["_sync.resources"]
        lines += [_object(one, resources[one], 3) for one in RESOURCES]
    return "".join(lines)


def _object(name: str, thing: griffe.Object | griffe.Alias, depth: int) -> str:
    target = thing.final_target if isinstance(thing, griffe.Alias) else thing
    if isinstance(target, griffe.Function):
        signature = _signature(target)
        return f"\n{'#' * depth} `{name}{signature}`\n\n{_text(target)}"
    if not isinstance(target, griffe.Class):
        return ""
    bases = ", ".join(str(base) for base in target.bases)
    head = f"\n{'#' * depth} {name}\n\n{f'`class {name}({bases})`' if bases else ''}\n\n{_text(target)}"
    if init := target.members.get("__init__"):
        head += f"\n```python\n{name}{_signature(init)}\n```\n" if isinstance(init, griffe.Function) else ""
    members = [
        _object(f"{name}.{member}", value, depth + 1)
        for member, value in target.members.items()
        if not member.startswith("_") and isinstance(value, griffe.Function)
    ]
    return head + "".join(members)


def _signature(function: griffe.Function) -> str:
    shown, star = [], False
    for one in function.parameters:
        if one.name in ("self", "cls"):
            continue
        if one.kind is griffe.ParameterKind.keyword_only and not star:
            shown.append("*")
            star = True
        prefix = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(
            one.kind or griffe.ParameterKind.positional_or_keyword, ""
        )
        star = star or prefix == "*"
        default = "" if prefix or one.default is None else f"={one.default}"
        shown.append(f"{prefix}{one.name}{default}")
    returns = f" -> {function.returns}" if function.returns is not None and function.name != "__init__" else ""
    return f"({', '.join(shown)}){returns}"


def _text(thing: griffe.Object | griffe.Alias) -> str:
    if thing.docstring is None:
        return ""
    parts: list[str] = []
    for section in thing.docstring.parsed:
        value = section.value
        if section.kind is griffe.DocstringSectionKind.text:
            parts.append(str(value))
        elif isinstance(value, list):
            title = {"parameters": "Arguments", "raises": "Raises", "attributes": "Attributes"}.get(
                section.kind.value, section.kind.value.capitalize()
            )
            rows = []
            for one in value:
                name = getattr(one, "name", None) or getattr(one, "annotation", "")
                rows.append(f"- `{name}`: {' '.join(str(getattr(one, 'description', '')).split())}")
            parts.append(f"{title}:\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
