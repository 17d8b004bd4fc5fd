#!/bin/sh
# Runs a command where it may do to the network what it likes: in a network and a mount namespace of
# its own, /run and /var/lib/cni empty and private. Root needs no more; anybody else becomes root in
# a user namespace.
#
#   sandbox.sh COMMAND...      runs it
#   sandbox.sh --check         exits 0 when this machine lets us, and ECMP_NETNS is not "no"; what it
#                              prints saves, in ECMP_SANDBOX, later calls the trying
set -eu

inside() {
	mount -t tmpfs tmpfs /run
	mkdir -p /run/netns /run/cni /run/dpkg
	# not /var/lib/cni itself: it need not exist, and nothing is left behind this way. What is
	# installed is to be known
	[ ! -d /var/lib/dpkg ] || mount --bind /var/lib/dpkg /run/dpkg
	mount -t tmpfs tmpfs /var/lib
	mkdir -p /var/lib/cni /var/lib/dpkg
	[ ! -e /run/dpkg/status ] || mount --move /run/dpkg /var/lib/dpkg
	rmdir /run/dpkg
}

if [ "${1-}" = --inside ]; then
	shift
	inside
	# root's programs, too: an ordinary user may not have them in reach
	export PATH="$PATH:/usr/sbin:/sbin"
	exec "$@"
fi

# Tries what the sandbox needs; not for ever, since a kernel in trouble may never answer.
try() {
	unshare "$1" sh "$0" --inside true </dev/null >/dev/null 2>&1 &
	tenths=600
	while kill -0 $! 2>/dev/null; do
		tenths=$((tenths - 1))
		if [ $tenths = 0 ]; then
			ECMP_NETNS=no
			return 1
		fi
		sleep 0.1
	done
	wait $!
}

flags=${ECMP_SANDBOX-}
ECMP_NETNS=${ECMP_NETNS-}
if [ -z "$flags" ] && [ "$ECMP_NETNS" != no ]; then
	[ "$(id -u)" != 0 ] || ! try -nm || flags=-nm
	[ -n "$flags$ECMP_NETNS" ] || ! try -Urnm || flags=-Urnm
fi

if [ -z "$flags" ]; then
	[ "${1-}" = --check ] ||
		echo "This needs network namespaces, which this machine does not give: try 'unshare -Urnm true'." >&2
	exit 1
fi
[ "${1-}" != --check ] || { echo "$flags"; exit; }
exec unshare "$flags" sh "$0" --inside "$@"
