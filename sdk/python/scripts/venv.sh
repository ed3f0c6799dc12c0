#!/usr/bin/env bash
# Makes .venv with exactly what requirements-dev.txt names, if it does not have that yet. PYTHON=python3.12 chooses another
# interpreter, VENV=.venvs/3.12 another place.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3} venv=${VENV:-.venv}
want=$( (cat requirements-dev.txt; "$python" -c 'import sys; print(sys.version, sys.executable)') | sha256sum)
if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made" 2>/dev/null)" = "$want" ]; then
	exit 0
fi
rm -rf "$venv"
"$python" -m venv "$venv"
# uv resolves nothing here: it only installs, in parallel, what is named with its hashes.
"$venv/bin/python" -m pip install --quiet uv==0.13.9
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements-dev.txt
echo "$want" >"$venv/made"
