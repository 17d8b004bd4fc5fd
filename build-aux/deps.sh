#!/bin/sh
# Installs the Debian packages named as arguments that are missing, and says which. Without root
# and without sudo it names them and the command, and fails.
set -eu

if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: please see that you have what these packages have there: $*"
	exit 0
fi

# in the sandbox, which hides it, everything was seen to before
[ -e /var/lib/dpkg/status ] || exit 0

missing=
for package; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	# a sudo that would ask for a password may do so only where somebody can answer
	if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
		as_root=sudo
	else
		echo "These packages are missing:$missing" >&2
		echo "Have somebody with root run: apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086
exec $as_root apt-get install -q -y --no-install-recommends $missing
