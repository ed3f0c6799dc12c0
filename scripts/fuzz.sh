#!/usr/bin/env bash
# Fuzzes every target of the module, or of a directory, for FUZZTIME (60s) each. Targets are found by their name, so a new one needs no entry
# here. FUZZCACHE=none starts without what earlier runs have found to be interesting, which takes longer than a second to go through. A failing input is left in the package's testdata/fuzz, where `go test` meets it from then on.
#   FUZZTIME=5s scripts/fuzz.sh [DIRECTORY]
set -euo pipefail

cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-60s}
under=${1:-.}
targets=0 failures=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(go env GOCACHE)/fuzz
[ "${FUZZCACHE:-}" != none ] || cache=$work/cache

# One instrumented binary a package; go test would link one for each target. Inputs that cover something new are not made shorter for minutes:
# the time is for new ones.
build() { go test -c -fuzz=Fuzz -o "$work/$2" "$1" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }; }
fuzz() {
	(cd "$1" && "$work/$2" -test.run='^$' -test.fuzz="^$3\$" -test.fuzztime="$fuzztime" -test.fuzzminimizetime=10x \
		-test.fuzzcachedir="$cache/$(go list .)" </dev/null) >"$work/log" 2>&1
}

# The toolchain sometimes ends a clean run with its own deadline as the only complaint. That is no finding: it has no failing input.
deadline_only() { grep -q 'context deadline exceeded' "$work/log" && ! grep -Eq 'Failing input|panic:|fatal error:' "$work/log"; }

while IFS=: read -r file func; do
	target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$func")
	pkg=./$(dirname "${file#./}")
	binary=$(tr '/.' '__' <<<"$pkg")
	targets=$((targets + 1))
	if [ ! -e "$work/$binary" ] && ! build "$pkg" "$binary"; then
		failures=$((failures + 1))
		continue
	fi
	if fuzz "$pkg" "$binary" "$target" || deadline_only; then
		echo "fuzz: ok   $pkg $target, $(grep -Eo 'execs: [0-9]+' "$work/log" | tail -1 || true)"
	else
		failures=$((failures + 1))
		echo "fuzz: FAIL $pkg $target"
		tail -40 "$work/log"
	fi
done < <(grep -rEo --include='*_test.go' --exclude-dir=.tools '^func Fuzz[A-Za-z0-9_]*\(' "$under" | sort)

echo "fuzz: $targets targets, $failures failures"
[ "$failures" -eq 0 ]
