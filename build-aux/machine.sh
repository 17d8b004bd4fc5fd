#!/bin/sh
# A machine with nothing but Debian on it, made new for each call, and what is promised for one.
# Needs root, debootstrap and Debian's archive; nothing outside DIR changes.
#
#   machine.sh DIR packages DEBS SOURCE    installs the packages found in the folder DEBS, runs their
#                                          autopkgtest, purges them, and looks for what they left
#   machine.sh DIR readme CLONE            gives README's two commands in a clone, as an ordinary user
#                                          and as root
set -eu
SUITE=bookworm
dir=$1 job=$2
shift 2

say() { printf '== %s\n' "$*"; }

# DIR/base is debootstrapped once; DIR/machine is a copy of it, with the kernel's views mounted in a
# mount namespace that ends with this script.
fresh() {
	[ -e "$dir/base/usr/bin/apt-get" ] || {
		say "debootstrap $SUITE"
		rm -rf "$dir/base" "$dir/half"
		debootstrap --variant=minbase "$SUITE" "$dir/half" >"$dir/debootstrap.log"
		mv "$dir/half" "$dir/base"
	}
	! mountpoint -q "$dir/machine" || umount -R -l "$dir/machine"
	rm -rf --one-file-system "$dir/machine"
	cp -a "$dir/base" "$dir/machine"
	cp -L /etc/resolv.conf "$dir/machine/etc/resolv.conf"
	mount --bind "$dir/machine" "$dir/machine"
	for view in proc dev sys; do mount --rbind "/$view" "$dir/machine/$view"; done
}

on_machine() { chroot "$dir/machine" "$@"; }

# What is on the machine, but for what apt and dpkg note down for themselves.
inventory() {
	on_machine find / -xdev \( -path /tmp -o -path /var/cache -o -path /var/log -o -path /var/lib/apt \
		-o -path /var/lib/dpkg -o -path /etc/ld.so.cache \) -prune -o -printf '%p\n' | sort
}

# shellcheck disable=SC2016
installed() { on_machine dpkg-query -W -f '${Package}\n' | sort; }

packages() {
	fresh
	mkdir "$dir/machine/debs"
	cp "$1"/*.deb "$dir/machine/debs"
	rm -f "$dir"/machine/debs/*-dbgsym_*
	inventory >"$dir/before"
	installed >"$dir/installed"

	say "install"
	on_machine sh -c 'apt-get update -q && apt-get install -q -y --no-install-recommends /debs/*.deb'
	say "autopkgtest"
	autopkgtest "$1"/*.deb "$2" -- chroot "$dir/machine"
	say "purge"
	installed | comm -13 "$dir/installed" - >"$dir/added"
	# shellcheck disable=SC2046
	on_machine apt-get purge -q -y $(cat "$dir/added")
	inventory | diff "$dir/before" - || { say "the packages left something behind"; exit 1; }
	say "installed, tested and purged: nothing left"
}

# Not by chroot, in which nobody may make a user namespace.
# shellcheck disable=SC2016
move_in() {
	unshare -m sh -euc 'cd "$1"; shift; pivot_root . mnt; umount -l /mnt; cd /; exec "$@"' sh \
		"$dir/machine" "$@"
}

fresh_with_clone() {
	fresh
	say "what it takes to have a clone: git; and make"
	on_machine sh -c 'apt-get update -q && apt-get install -q -y --no-install-recommends git make' \
		>"$dir/git.log"
	on_machine useradd -m visitor
	git clone -q "$1" "$dir/machine/$2/clone"
	on_machine chown -R "$3:" "$2/clone"
}

readme() {
	failed=0
	as_root "$1"
	as_visitor "$1"
	[ "$failed" = 0 ] || say "not everything was as promised: see above"
	return $failed
}

as_root() {
	fresh_with_clone "$1" /root root
	for target in demo test; do
		say "root: make $target"
		move_in make -C /root/clone $target || failed=1
	done
}

as_visitor() {
	fresh_with_clone "$1" /home/visitor visitor
	say "ordinary user, without sudo, packages missing: make demo"
	if said=$(move_in runuser -l visitor -c "cd clone && make demo" 2>&1); then exit 1; fi
	echo "$said"
	say "root does as it says"
	move_in sh -euc "apt-get update -q; $(echo "$said" | sed -n 's/.*root run: //p') -y" >"$dir/apt.log"
	for target in demo test; do
		say "ordinary user: make $target"
		move_in runuser -l visitor -c "cd clone && make $target" || failed=1
	done
	changed=$(move_in runuser -l visitor -c 'cd clone && git status --short')
	[ -z "$changed" ] || { say "the clone is not as it was: $changed"; failed=1; }
}

case ${ECMP_MACHINE-} in
'')
	[ "$(id -u)" = 0 ] || { echo "machine.sh needs root" >&2; exit 1; }
	ECMP_MACHINE=inside exec unshare -m sh "$0" "$dir" "$job" "$@"
	;;
esac
case $job in
packages | readme) "$job" "$@" ;;
*) echo "machine.sh: no job '$job'" >&2; exit 2 ;;
esac
