#!/bin/sh
# Runs the specs and counts.
#
#   test.sh [SPEC...]      the files named, or those below a folder named; else all
#
# Each file runs in a process and, where the machine allows one, a sandbox of its own, so that none meets
# what another left; JOBS of them at a time, more than there are processors, since much of what they do is
# to wait. For each file there is a line with the seconds it took, and those of processors. Where no namespaces
# are to be had, the specs that need them are named and counted as skipped. The last line is
# "N passed, N failed", with ", N skipped" behind it when there are any.
#
#   LIMIT=seconds    a file that takes longer is ended, with all processes of its group, and has failed
#                    (600; 0 is for ever)
#   BUDGET=seconds   for all files together: those that have not begun by then, or not ended, are named and
#                    counted as skipped. Another file comes first each day, so that each has its turn
#   KERNEL=uml       on another kernel (build-aux/uml.sh), a fresh one for each file
#   RESULTS=DIR      what became of each spec stays there, for build-aux/count.lua (nowhere)
set -eu
here=$(dirname "$0")
LUA=${LUA:-lua5.4}
# what specs give to make is given as in a shell, not as a part of the make that runs this
unset MAKEFLAGS MFLAGS MAKELEVEL

# What takes longest begins first, so that no processor is idle while it ends.
FIRST="debian pool_failures pool_members experiments plugin_host-local deploy make plugin_pool nl_monitor lab
	command_watch plugin_bridge command_apply command_apply_checkpoint"

ordered() {
	find "$@" -name '*_spec.lua' | LC_ALL=C sort -u >"$results/files"
	if [ "$ECMP_END" != 0 ]; then
		days=$(($(date +%s) / 86400))
		turn=$((37 * days % $(wc -l <"$results/files") + 1))
		tail -n +$turn "$results/files"
		head -n $((turn - 1)) "$results/files"
	else
		# shellcheck disable=SC2086
		printf 'spec/%s_spec.lua\n' $FIRST | grep -Fx -f "$results/files" >"$results/first" || true
		cat "$results/first"
		grep -Fxv -f "$results/first" "$results/files" || true
	fi
}

# The seconds that a file may take: none when there is no time left.
allowed() {
	limit=${LIMIT:-600}
	if [ "$ECMP_END" != 0 ]; then
		left=$((ECMP_END - $(date +%s)))
		[ "$left" -gt 0 ] || return 1
		if [ "$limit" = 0 ] || [ "$left" -lt "$limit" ]; then limit=$left; fi
	fi
	echo "$limit"
}

# A file that has said nothing of its specs: what its counts are then.
unfinished() {
	case $1 in
	124 | 137)
		if ! allowed >/dev/null; then
			printf '0 0 1 %s\nskipped\t%s\tthere was no time left to end it\n' "$2" "$2"
			return
		fi
		echo "$2 took longer than ${LIMIT:-600} seconds, and was ended." >>"$name.out"
		;;
	*) echo "$2 ended before its end: a spec took the interpreter down." >>"$name.out" ;;
	esac
	printf '0 1 0 %s\nfailed\t%s: it did not come to its end\n' "$2" "$2"
}

# Runs one file. What it says is kept in $results, and shown at once when something failed.
one() {
	name=$results/$(echo "$1" | tr / _)
	export ECMP_COUNTS="$name.counts" ECMP_FILE="$1"
	if ! limit=$(allowed); then
		printf '0 0 1 %s\nskipped\t%s\tthere was no time left for it\n' "$1" "$1" >"$name.counts"
		return
	fi
	began=$(date +%s%N)
	# shellcheck disable=SC2086
	timeout -k 10 "$limit" \
		$ECMP_RUN "$LUA" "$here/busted.lua" --output="$here/summary.lua" $ECMP_WITHOUT "$1" \
		</dev/null >"$name.out" 2>&1 &
	# it has a process group of its own, which a terminal does not reach
	trap 'kill $!' INT TERM HUP
	status=0
	wait $! || status=$?
	[ -s "$name.counts" ] || unfinished $status "$1" >"$name.counts"
	read -r passed failed skipped _ <"$name.counts"
	[ "$failed" = 0 ] || cat "$name.out"
	times >"$name.times"
	awk -v took="$(($(date +%s%N) - began))" -v counts="$passed $failed $skipped" -v file="$1" 'NR == 2 {
		split(counts, n)
		gsub(/[ms]/, " ") # user and system time of children
		printf "%5d passed %3d failed %3d skipped %6.1f s %6.1f cpu  %s\n", n[1], n[2], n[3],
			took / 1e9, 60 * $1 + $2 + 60 * $3 + $4, file
	}' "$name.times"
}

if [ "${1-}" = --one ]; then
	results=$2
	one "$3"
	exit
fi

export ECMP_END=$((${BUDGET:-0} ? $(date +%s) + ${BUDGET:-0} : 0))
results=${RESULTS-}
# a spec may run this again
unset RESULTS
if [ -n "$results" ]; then
	rm -rf "$results"
	mkdir -p "$results"
	results=$(realpath "$results")
else
	results=$(mktemp -d)
	trap 'rm -rf "$results"' EXIT
fi

each=3 # for each processor, as files wait for this and that
if [ "${KERNEL-}" = uml ]; then
	each=1
	export ECMP_SANDBOX=-nm ECMP_RUN="sh $here/uml.sh sh $here/sandbox.sh" ECMP_WITHOUT='' ECMP_KEEP="$results"
elif ECMP_SANDBOX=$(sh "$here/sandbox.sh" --check); then
	export ECMP_SANDBOX ECMP_RUN="sh $here/sandbox.sh" ECMP_WITHOUT=
else
	export ECMP_RUN='' ECMP_WITHOUT=--exclude-tags=netns
	echo "No namespaces on this machine: specs tagged netns are skipped:"
	"$LUA" "$here/busted.lua" --list --tags=netns "$@" | tee "$results/netns"
	sed 's/^[^ ]*: /skipped\t/; s/$/\tno namespaces on this machine/' "$results/netns" >"$results/netns.counts"
	echo
fi

ordered "${@:-spec}" | xargs -P "${JOBS:-$((each * $(nproc)))}" -n 1 sh "$0" --one "$results"

"$LUA" "$here/count.lua" "$results"
