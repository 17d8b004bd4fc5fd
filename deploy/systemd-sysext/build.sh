#!/bin/sh
# Makes a system extension for hosts whose /usr cannot be written, such as Flatcar or Fedora CoreOS.
#
#   deploy/systemd-sysext/build.sh [OUTPUT.raw | OUTPUT-DIRECTORY]
#
# Needs a built tree (`make`), and squashfs-tools for an image; a directory needs nothing. The
# plugins end up in /usr/lib/cni, the command in /usr/bin, and libmnl where this machine and where
# most others look for libraries, so that the host needs a C library only, no older than the one here.
set -eu
cd "$(dirname "$0")/../.."
output=${1:-build/sysext/ecmp.raw}
tree=$output
case $output in *.raw) tree=build/sysext/tree ;; esac

[ -x build/bin/ecmp ] || { echo "build/bin/ecmp is missing: run make first" >&2; exit 1; }
mnl=$(ldd build/bin/ecmp | sed -n 's/.*libmnl\.so\.0 => \([^ ]*\) .*/\1/p')

case $output in
*.raw) rm -rf "$tree" ;;
*) [ ! -e "$output" ] || { echo "$output exists already" >&2; exit 1; } ;;
esac
mkdir -p "$tree/usr/bin" "$tree/usr/lib/cni" "$tree/usr/lib/extension-release.d"
install -m 755 build/bin/ecmp "$tree/usr/bin/ecmp"
for link in build/cni/*; do
	ln -s ../../bin/ecmp "$tree/usr/lib/cni/${link##*/}"
done
if [ -n "$mnl" ]; then
	for libdir in "$(dirname "${mnl#/usr}")" /lib64; do
		install -D -m 644 "$mnl" "$tree/usr$libdir/libmnl.so.0"
	done
fi
# any host of this architecture: what is inside depends on the C library alone
printf 'ID=_any\nARCHITECTURE=%s\n' "$(uname -m | sed 's/_/-/; s/aarch64/arm64/')" \
	>"$tree/usr/lib/extension-release.d/extension-release.ecmp"

case $output in
*.raw)
	command -v mksquashfs >/dev/null || { echo "mksquashfs is missing (squashfs-tools)" >&2; exit 1; }
	rm -f "$output"
	mksquashfs "$tree" "$output" -all-root -noappend -quiet
	;;
esac
echo "$output"
