#!/usr/bin/env bash
# Everything that is checked of the package: scripts/check.sh [pytest arguments]. Needs .venv (scripts/venv.sh) and bin/clawd.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

ruff check --quiet .
ruff format --check --quiet .
python scripts/unasync.py --check
python scripts/reference.py --check
# Two type checkers, one core each; the tests measure, and so begin when both are done.
mypy &
mypy=$!
pyright --warnings
wait "$mypy"
pytest "$@"
