#!/bin/sh
# Runs the specs, in a sandbox where the machine allows one, and counts.
#
#   test.sh [BUSTED OPTION | SPEC]...
#
# Where no namespaces are to be had, the specs that need them are named and counted as skipped. The
# last line is "N passed, N failed", with ", N skipped" behind it when there are any.
set -eu
here=$(dirname "$0")
ECMP_COUNTS=$(mktemp)
skipped_list=$(mktemp)
trap 'rm -f "$ECMP_COUNTS" "$skipped_list"' EXIT
export ECMP_COUNTS


if sh "$here/sandbox.sh" --check; then
	run="sh $here/sandbox.sh"
	without=
else
	run=
	without=--exclude-tags=netns
	echo "No namespaces on this machine: specs tagged netns are skipped:"
	"${LUA:-lua5.4}" "$here/busted.lua" --list --tags=netns "$@" | tee "$skipped_list"
	echo
fi

# shellcheck disable=SC2086
$run "${LUA:-lua5.4}" "$here/busted.lua" --output="$here/summary.lua" $without "$@" || true

if ! read -r passed failed skipped <"$ECMP_COUNTS"; then
	echo "The run ended before its end: one spec took the interpreter down."
	passed=0 failed=1 skipped=0
fi
skipped=$((skipped + $(grep -c . "$skipped_list" || true)))
[ "$((passed + failed))" -gt 0 ] || { echo "Not one spec ran."; failed=1; }

if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
