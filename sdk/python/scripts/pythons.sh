#!/usr/bin/env bash
# The tests under every Python that is supported and that this machine has: scripts/pythons.sh [pytest arguments].
# Says at the end which were tested and which were not; fails when one fails, or when there is none but the usual one.
set -euo pipefail
cd "$(dirname "$0")/.."

supported=(3.10 3.11 3.12 3.13 3.14)

# find VERSION prints an interpreter that really is of that version: names on the path may be shims for none.
find_python() {
	local candidate
	for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "$HOME"/.local/share/uv/python/cpython-"$1".*/bin/python; do
		if [ "$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$1" ]; then
			command -v "$candidate"
			return
		fi
	done
	return 1
}

tested=() failed=() missing=()
for version in "${supported[@]}"; do
	if ! python=$(find_python "$version"); then
		missing+=("$version")
		continue
	fi
	echo "==> Python $version ($python)"
	PYTHON=$python VENV=.venvs/$version scripts/venv.sh
	if ".venvs/$version/bin/python" -m pytest -p no:cacheprovider "$@"; then
		tested+=("$version")
	else
		failed+=("$version")
	fi
done
echo "tested: ${tested[*]:-none}"
if [ ${#missing[@]} -gt 0 ]; then
	echo "NOT TESTED, for want of an interpreter: ${missing[*]}"
fi
if [ ${#failed[@]} -gt 0 ]; then
	echo "FAILED: ${failed[*]}"
	exit 1
fi
[ ${#tested[@]} -gt 1 ]
