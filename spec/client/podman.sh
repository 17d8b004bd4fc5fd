#!/bin/sh
# Runs a container under podman's CNI backend on a network of our plugins, in the sandbox, and prints
# what came of it. Takes the directory of the plugins and one to work in.
set -eu
plugins=$1
dir=$2

# the runtime wants the new kind of control groups alone, and podman its configuration here
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/sys" "$dir/rootfs/dev" "$dir/networks"
cp /bin/busybox "$dir/rootfs/bin/"
cat >"$dir/containers.conf" <<END
[network]
network_backend = "cni"
cni_plugin_dirs = ["$plugins"]
network_config_dir = "$dir/networks"
default_network = "pods"
[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
events_logger = "none"
END
cat >"$dir/networks/pods.conflist"
export CONTAINERS_CONF="$dir/containers.conf"

run() {
	podman --root "$dir/root" --runroot "$dir/run" "$@"
}

echo "backend $(run info --format '{{.Host.NetworkBackend}}')"
run run -d --name pod --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=512:512 \
	--network pods --rootfs "$dir/rootfs" /bin/busybox sleep 60 >/dev/null
pid=$(run inspect --format '{{.State.Pid}}' pod)
nsenter -t "$pid" -n ip -4 route show default
nsenter -t "$pid" -n ip -6 route show default
echo "reserved $(find "$dir/pool/pods" -name '10.*' -printf '%f')"
run rm -f -t 0 pod >/dev/null
echo "left $(find "$dir/pool/pods" -name '10.*' -printf '%f')$(ip -br link show type veth)"
