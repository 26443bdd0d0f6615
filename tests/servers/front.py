"""Envoy as the compose file has it: one address, behind which servers of this machine take the calls in turn."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support.deployments import DEPLOY

#: Whether its wheel is there; there is none for some machines.
INSTALLED = importlib.util.find_spec("envoy") is not None
_QUIETLY = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")


class Front:
    """A running Envoy, which has found all of its servers well once this is made.

    Args:
        folder: where its files go; its own alone.
        grpc: ``host:port`` of each server.
        http: the same of their gateways; empty: it takes gRPC alone.
        certificates: a folder with ``tls.crt`` and ``tls.key``, for TLS; None: without.
        rate: calls a second that a connection may make, and at once; None: as the file has it.
    """

    def __init__(
        self,
        folder: Path,
        grpc: Sequence[str],
        http: Sequence[str] = (),
        *,
        address: str = "127.0.0.1:0",
        certificates: Path | None = None,
        rate: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config, admin = folder / "envoy.yaml", folder / "admin"
        admin.unlink(missing_ok=True)
        config.write_text(yaml.safe_dump(_config(address, grpc, http, certificates, rate)), encoding="utf-8")
        envoy = Path(sys.executable).with_name("envoy")
        self._log = folder / "envoy.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [envoy, "--config-path", config, "--admin-address-path", admin, *_QUIETLY],
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.address = self._listening(admin)
        except BaseException:
            self.close()
            raise

    def _listening(self, admin: Path) -> str:
        # The test's own timeout bounds the wait. It listens once it has asked each server.
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"Envoy did not start: {self._log.read_text(encoding='utf-8')[-2000:]}")
            if admin.exists() and (host := admin.read_text(encoding="utf-8")):
                found = _asked(host, "listeners?format=json").get("listener_statuses", ())
                if found and _all_well(host):
                    address = found[0]["local_address"]["socket_address"]
                    return f"{address['address']}:{address['port_value']}"
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@asynccontextmanager
async def fronted(
    folder: Path, grpc: Sequence[str], *, address: str = "127.0.0.1:0", rate: int | None = None
) -> AsyncIterator[Front]:
    """Run one before servers of this loop, which go on meanwhile."""
    front = await asyncio.to_thread(Front, folder, grpc, address=address, rate=rate)
    try:
        yield front
    finally:
        front.close()


def _asked(admin: str, question: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://{admin}/{question}", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return {}


def _all_well(admin: str) -> bool:
    clusters = _asked(admin, "clusters?format=json").get("cluster_statuses", ())
    hosts = [host for cluster in clusters for host in cluster.get("host_statuses", ())]
    return bool(hosts) and all(not host["health_status"].get("failed_active_health_check") for host in hosts)


def _config(address: str, grpc: Sequence[str], http: Sequence[str], certificates: Path | None, rate: int | None) -> Any:
    config = yaml.safe_load((DEPLOY / "compose/envoy.yaml").read_text(encoding="utf-8"))
    config["admin"] = {"address": _socket("127.0.0.1:0")}
    resources = config["static_resources"]
    (listener,) = resources["listeners"]
    listener["address"] = _socket(address)
    (chain,) = listener["filter_chains"]
    if certificates is None:
        del chain["transport_socket"]
    else:
        (pair,) = chain["transport_socket"]["typed_config"]["common_tls_context"]["tls_certificates"]
        for part in pair.values():
            part["filename"] = str(certificates / Path(part["filename"]).name)
    if rate is not None:
        (manager,) = chain["filters"]
        (limit,) = (one for one in manager["typed_config"]["http_filters"] if one["name"].endswith(".local_ratelimit"))
        limit["typed_config"]["token_bucket"] |= {"max_tokens": rate, "tokens_per_fill": rate}
    clusters = {cluster["name"]: cluster for cluster in resources["clusters"]}
    for name, addresses in (("grpc", grpc), ("http", http)):
        clusters[name]["load_assignment"]["endpoints"] = [
            {"lb_endpoints": [{"endpoint": {"address": _socket(each)}} for each in addresses]}
        ]
    if not http:
        resources["clusters"].remove(clusters["http"])
        (manager,) = chain["filters"]
        (servers,) = manager["typed_config"]["route_config"]["virtual_hosts"]
        servers["routes"] = [route for route in servers["routes"] if route["route"]["cluster"] == "grpc"]
    return config


def _socket(address: str) -> Any:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
