"""Installs routes by pyroute2: `pyroute2_bench.py FILE batch|single`; FILE holds lines "DST GATEWAY...".

Only the calls are timed; what they need is there before."""
import os
import select
import sys
import time

from pyroute2 import IPBatch, IPRoute

requests = []
with open(sys.argv[1]) as lines:
    for line in lines:
        dst, *gateways = line.split()
        if len(gateways) == 1:
            requests.append({"dst": dst, "gateway": gateways[0]})
        else:
            requests.append({"dst": dst, "multipath": [{"gateway": g} for g in gateways]})


def drain(ip):
    """Takes the acknowledgements that wait, as many as there are."""
    while select.select([ip.fileno()], [], [], 0)[0]:
        os.read(ip.fileno(), 1 << 16)


def batched(ip):
    batch = IPBatch()
    for i, request in enumerate(requests):
        batch.route("add", **request)
        if i % 200 == 199 or i == len(requests) - 1:
            ip.sendto(batch.batch, (0, 0))
            batch.reset()
            drain(ip)
    batch.close()


def single(ip):
    for request in requests:
        ip.route("add", **request)


now = time.process_time_ns if os.environ.get("ECMP_CLOCK") == "cpu" else time.monotonic_ns
with IPRoute() as ip:
    start = now()
    (batched if sys.argv[2] == "batch" else single)(ip)
    print(now() - start, 0)
