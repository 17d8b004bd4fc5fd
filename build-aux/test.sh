#!/bin/sh
# Runs the specs and counts.
#
#   test.sh [SPEC...]      the files named, or those below a folder named; else all
#
# Each file runs in a process and, where the machine allows one, a sandbox of its own, so that none meets
# what another left; JOBS of them at a time. Where no namespaces are to be had, the specs that need
# them are named and counted as skipped. The last line is "N passed, N failed", with
# ", N skipped" behind it when there are any.
#
#   LIMIT=seconds    a file that takes longer is ended, with all processes of its group, and has failed
#                    (600; 0 is for ever)
#   BUDGET=seconds     files that have not begun by then are named and counted as skipped (never)
set -eu
here=$(dirname "$0")
LUA=${LUA:-lua5.4}
# what specs give to make is given as in a shell, not as a part of the make that runs this
unset MAKEFLAGS MFLAGS MAKELEVEL

# Runs one file. What it says is kept in $results, and shown at once when something failed.
one() {
	name=$results/$(echo "$1" | tr / _)
	export ECMP_COUNTS="$name.counts"
	if [ "${ECMP_END:-0}" != 0 ] && [ "$(date +%s)" -ge "$ECMP_END" ]; then
		printf '0 0 1\n%s: there was no time left for it\n' "$1" >"$name.counts"
		return
	fi
	# shellcheck disable=SC2086
	timeout -k 10 "${LIMIT:-600}" \
		$ECMP_RUN "$LUA" "$here/busted.lua" --output="$here/summary.lua" $ECMP_WITHOUT "$1" \
		</dev/null >"$name.out" 2>&1 &
	# it has a process group of its own, which a terminal does not reach
	trap 'kill $!' INT TERM HUP
	status=0
	wait $! || status=$?
	if [ ! -s "$name.counts" ]; then
		echo "0 1 0" >"$name.counts"
		case $status in
		124 | 137) echo "$1 took longer than ${LIMIT:-600} seconds, and was ended." ;;
		*) echo "$1 ended before its end: a spec took the interpreter down." ;;
		esac >>"$name.out"
	fi
	read -r passed failed skipped <"$name.counts"
	[ "$failed" = 0 ] || cat "$name.out"
	printf '%5d passed %3d failed %3d skipped  %s\n' "$passed" "$failed" "$skipped" "$1"
}

if [ "${1-}" = --one ]; then
	results=$2
	one "$3"
	exit
fi

export ECMP_END=$((${BUDGET:-0} ? $(date +%s) + ${BUDGET:-0} : 0))
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

if ECMP_SANDBOX=$(sh "$here/sandbox.sh" --check); then
	export ECMP_SANDBOX ECMP_RUN="sh $here/sandbox.sh" ECMP_WITHOUT=
else
	export ECMP_RUN='' ECMP_WITHOUT=--exclude-tags=netns
	echo "No namespaces on this machine: specs tagged netns are skipped:"
	"$LUA" "$here/busted.lua" --list --tags=netns "$@" | tee "$results/netns"
	echo
fi

find "${@:-spec}" -name '*_spec.lua' | LC_ALL=C sort |
	xargs -P "${JOBS:-$(nproc)}" -n 1 sh "$0" --one "$results"

set -- "$results"/*.counts
[ -e "$1" ] || { echo "Not one spec ran."; echo "0 passed, 1 failed"; exit 1; }
tail -q -n +2 "$@" | sort >"$results/skipped"
if [ -s "$results/skipped" ]; then
	echo
	echo "Skipped:"
	cat "$results/skipped"
fi
sed -s -n 1p "$@" | awk -v without="$(grep -c . "$results/netns" 2>/dev/null || true)" '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		skipped += without
		printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
		exit failed > 0
	}'
