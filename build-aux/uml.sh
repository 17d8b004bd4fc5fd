#!/bin/sh
# Runs a command on another kernel: Debian's user-mode-linux, Linux as an ordinary process.
#
#   uml.sh COMMAND...      runs it here, as root, with this environment and with the kernel's modules at
#                          hand; exits as it did, and with 125 when that kernel did not come to it
#
# It sees the machine's files; what it writes is gone with it, save below $ECMP_KEEP, a directory, and
# nothing of it reaches the machine. It has one processor and UML_MEMORY (1G) of memory. What ends this
# ends the kernel.
set -eu

# The first process of that kernel: turns the root it was started from, which only reads, into a layer
# below a tmpfs, then leaves to `inside` there.
begin() {
	mount -t proc proc /proc
	mount -t tmpfs tmpfs /run
	insmod /usr/lib/uml/modules/"$(uname -r)"/kernel/fs/overlayfs/overlay.ko
	mkdir /run/upper /run/work /run/root
	mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root
	cd /run/root
	mkdir -p lib/modules
	mount --bind /usr/lib/uml/modules lib/modules
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t tmpfs tmpfs run
	mount -t devtmpfs devtmpfs dev
	mkdir -p dev/pts dev/shm run/machine mnt/order
	mount -t devpts -o ptmxmode=666 devpts dev/pts
	mount -t tmpfs tmpfs dev/shm
	mount -t hostfs -o "$ECMP_ORDER" hostfs mnt/order
	# of all processes, so that what the kernel starts to load a module finds it
	pivot_root . run/machine
	exec chroot . sh "/mnt/order/uml.sh" --inside
}

inside() {
	cd "$(cat /mnt/order/directory)"
	ip link set dev lo up
	# what nobody asks for before it is there
	for module in ipv6 mpls_router mpls_iptunnel nfnetlink; do modprobe "$module" || true; done
	# it has no nftables for IP, on which Debian's iptables stands
	for program in iptables ip6tables; do
		for what in '' -save -restore; do
			ln -sf "/usr/sbin/$program-legacy$what" "/etc/alternatives/$program$what"
		done
	done
	# shellcheck disable=SC1091
	(
		. /mnt/order/environment
		if [ -n "${ECMP_KEEP-}" ]; then
			mkdir -p "$ECMP_KEEP"
			mount -t hostfs -o "$ECMP_KEEP" hostfs "$ECMP_KEEP"
		fi
		status=0
		sh /mnt/order/command >/mnt/order/out 2>/mnt/order/err </dev/null || status=$?
		echo $status >/mnt/order/status
	) || true
	exec halt -f
}

export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
case ${1-} in
--inside) inside ;;
--begin) begin ;;
esac

order=$(mktemp -d /tmp/ecmp-uml.XXXXXX)
trap 'rm -rf "$order"' EXIT
cp "$0" "$order/uml.sh"
pwd >"$order/directory"
export -p >"$order/environment"
# each word in quotes
for word; do printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done >"$order/command"

# it helps itself with processes that do not see its end, hence a group of its own
setsid linux.uml mem="${UML_MEMORY:-1G}" rootfstype=hostfs rootflags=/ ro init="$order/uml.sh" \
	uml_dir="$order" ECMP_ORDER="$order" con=null con0=null,fd:1 -- --begin </dev/null >"$order/console" 2>&1 &
uml=$!
trap 'kill -9 -$uml; exit 1' INT TERM HUP
wait $uml || true
if [ ! -s "$order/status" ]; then
	cat "$order/console" >&2
	exit 125
fi
cat "$order/out"
cat "$order/err" >&2
exit "$(cat "$order/status")"
