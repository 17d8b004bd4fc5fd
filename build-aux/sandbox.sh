#!/bin/sh
# Runs a command where it may do to the network what it likes: in a network and a mount namespace of
# its own, /run and /var/lib/cni empty and private. Root needs no more; anybody else becomes root in
# a user namespace.
#
#   sandbox.sh COMMAND...      runs it
#   sandbox.sh --check         exits 0 when this machine lets us, and ECMP_NETNS is not "no"
set -eu

inside() {
	mount -t tmpfs tmpfs /run
	# not /var/lib/cni itself: it need not exist, and nothing is left behind this way
	mount -t tmpfs tmpfs /var/lib
	mkdir -p /run/netns /run/cni /var/lib/cni
}

if [ "${1-}" = --inside ]; then
	shift
	inside
	exec "$@"
fi

if [ "${1-}" = --check ] && [ "${ECMP_NETNS-}" = no ]; then
	exit 1
fi

flags=-Urnm
[ "$(id -u)" != 0 ] || ! unshare -nm true 2>/dev/null || flags=-nm

if [ "${1-}" = --check ]; then
	exec unshare $flags sh "$0" --inside true 2>/dev/null
fi
exec unshare $flags sh "$0" --inside "$@"
