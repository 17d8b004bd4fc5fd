#!/bin/sh
# Makes a system extension for hosts whose /usr cannot be written, such as Flatcar or Fedora CoreOS.
#
#   deploy/systemd-sysext/build.sh [OUTPUT.raw | OUTPUT-DIRECTORY]
#
# Needs squashfs-tools for an image; a directory needs nothing. The plugins end up in /usr/lib/cni,
# the command in /usr/bin; they are static, so that any host of this architecture will do.
set -eu
cd "$(dirname "$0")/../.."
output=${1:-build/sysext/ecmp.raw}
tree=$output
case $output in *.raw) tree=build/sysext/tree ;; esac

case $output in
*.raw)
	command -v mksquashfs >/dev/null || { echo "mksquashfs is missing (squashfs-tools)" >&2; exit 1; }
	rm -rf "$tree"
	;;
*) [ ! -e "$output" ] || { echo "$output exists already" >&2; exit 1; } ;;
esac
make -s STATIC=1 B=build/static OBJ=build/obj all
mkdir -p "$tree/usr/bin" "$tree/usr/lib/cni" "$tree/usr/lib/extension-release.d"
install -m 755 build/static/bin/ecmp "$tree/usr/bin/ecmp"
for link in build/static/cni/*; do
	ln -s ../../bin/ecmp "$tree/usr/lib/cni/${link##*/}"
done
printf 'ID=_any\nARCHITECTURE=%s\n' "$(uname -m | sed 's/_/-/; s/aarch64/arm64/')" \
	>"$tree/usr/lib/extension-release.d/extension-release.ecmp"

case $output in
*.raw)
	rm -f "$output"
	mksquashfs "$tree" "$output" -all-root -noappend -quiet
	;;
esac
echo "$output"
