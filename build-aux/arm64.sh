#!/bin/sh
# What it takes to build for arm64 and to run that here; nothing of it is installed on this machine.
#
#   arm64.sh libraries DIR        puts Debian's packages for arm64 below DIR/root, unpacked
#   arm64.sh run DIR COMMAND...   runs a command where programs of arm64 run in an emulator, qemu-user,
#                                 with the libraries below DIR/root and with its lua5.4 first in PATH
set -eu

PACKAGES="lua5.4 liblua5.4-0 liblua5.4-dev libmnl-dev libmnl0 lua-cjson lua-cjson-dev lua-filesystem lua-term
	lua-system libreadline8 libtinfo6 libc6 libgcc-s1 libssl-dev libssl3 libnghttp2-dev libnghttp2-14"

libraries() {
	[ ! -e "$1/root/usr" ] || exit 0
	mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/root.new"
	cd "$1/apt"
	own="-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State=$1/apt -o Debug::NoLocking=1
		-o Dir::State::status=/dev/null -o Dir::Cache=$1/apt/cache"
	# shellcheck disable=SC2086
	apt-get $own update >/dev/null
	# shellcheck disable=SC2086
	apt-get $own download $PACKAGES >/dev/null
	for package in ./*.deb; do dpkg-deb -x "$package" "$1/root.new"; done
	mv "$1/root.new" "$1/root"
}

# The kernel starts the emulator for whatever is of arm64, in this user namespace alone (Linux 6.7).
run() {
	mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	# 64 bits, little endian, an executable or a shared object, machine 183
	printf '%s' ':aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:' \
		'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:' \
		"$(command -v qemu-aarch64-static):F" >/proc/sys/fs/binfmt_misc/register
	export QEMU_LD_PREFIX="$1/root" PATH="$1/root/usr/bin:$PATH"
	shift
	exec "$@"
}

verb=$1
directory=$(realpath "$2")
case $verb in
libraries) libraries "$directory" ;;
run)
	shift 2
	exec unshare -Urm sh "$0" --inside "$directory" "$@"
	;;
--inside)
	shift 2
	run "$directory" "$@"
	;;
esac
