#!/usr/bin/env bash
# Runs every fuzz target of the module for a few seconds each. Targets are found by their name, so a new one needs no entry here.
#   FUZZTIME=5s scripts/fuzz-short.sh [PACKAGE-DIRECTORY-PREFIX]
set -euo pipefail

cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-3s}
under=${1:-.}
passed=0 failed=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# go test -fuzz takes one target of one package at a time.
fuzz() { go test -run='^$' -fuzz="^$2\$" -fuzztime="$fuzztime" "$1" </dev/null 2>&1 | tee "$log"; }

# The toolchain sometimes ends a clean run with its own deadline as the only complaint. That is no finding: it has no failing input.
deadline_only() { grep -q 'context deadline exceeded' "$log" && ! grep -Eq 'Failing input|panic:' "$log"; }

while IFS=: read -r file func; do
	target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$func")
	pkg=./$(dirname "${file#./}")
	echo "fuzz: $pkg $target ($fuzztime)"
	if fuzz "$pkg" "$target" || { deadline_only && fuzz "$pkg" "$target"; }; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done < <(grep -rEo --include='*_test.go' --exclude-dir=.tools '^func Fuzz[A-Za-z0-9_]*\(' "$under" | sort)

echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
