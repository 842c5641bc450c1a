"""Where the tasks of a sweep run: processes on this machine that nobody else can reach, or somebody's Dask cluster.

A Dask scheduler runs whatever code it is sent, as the user who started it. So the cluster on this machine takes
connections only over TLS and only from holders of a key that is made for the run and never leaves its processes.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil

from equinoise.errors import EquinoiseError
from equinoise.sweeps.task import TASK_SCHEMA

__all__ = ["SweepError", "TLSFiles", "local_cluster", "outside_cluster"]

# how long to wait for a scheduler, and for its first worker
_PATIENCE = 60.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class SweepError(EquinoiseError):
    """The cluster cannot be used or was lost; what had been computed is in the store."""


@dataclass(frozen=True)
class TLSFiles:
    """Credentials for a scheduler that takes connections over TLS: PEM files, as Dask's own options name them.

    Attributes:
        ca: Certificate of the authority that signed the scheduler's and this client's certificate.
        cert: This client's certificate.
        key: Its private key.

    Raises:
        SweepError: A file is missing or cannot be read.
    """

    ca: str | Path
    cert: str | Path
    key: str | Path

    def __post_init__(self) -> None:
        for name in ("ca", "cert", "key"):
            path = getattr(self, name)
            if not os.path.isfile(path) or not os.access(path, os.R_OK):
                raise SweepError(f"--tls-{name}: there is no file {str(path)!r} that can be read. Give a PEM file.")


@contextmanager
def outside_cluster(scheduler: str, tls: TLSFiles | None, check: Callable[[], None]) -> Iterator[Any]:
    """A client of a running Dask scheduler whose workers have this equinoise.

    Args:
        scheduler: Its address.
        tls: Credentials, for an address that begins with "tls://".
        check: Called while waiting; raises to give up.

    Raises:
        SweepError: distributed is missing, or the scheduler does not answer or has no fitting workers.
    """
    dask, distributed = _packages()
    if tls is not None and not scheduler.startswith("tls://"):
        raise SweepError(
            f"the address {scheduler!r} takes no TLS files: it must begin with tls://, or leave out --tls-ca, "
            "--tls-cert and --tls-key."
        )
    with dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE / 6:.0f}s"}):
        try:
            security = None if tls is None else _security(distributed, tls)
            client = distributed.Client(scheduler, timeout=_PATIENCE / 6, set_as_default=False, security=security)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise SweepError(
                f"no Dask scheduler answers at {scheduler!r}: {error}. Start one with `dask scheduler`, give the "
                "credentials that it asks for (--tls-ca, --tls-cert, --tls-key), or leave out --scheduler to run on "
                "this machine."
            ) from None
    with client:
        _await_workers(client, scheduler, check)
        _check_versions(client, scheduler)
        yield client


def _security(distributed: Any, tls: TLSFiles) -> Any:
    security = distributed.Security(
        require_encryption=True, tls_ca_file=str(tls.ca), tls_client_cert=str(tls.cert), tls_client_key=str(tls.key)
    )
    try:
        security.get_connection_args("client")
    except OSError as error:  # what OpenSSL raises of files that are no certificates, or do not belong together
        raise SweepError(
            f"the TLS files cannot be used: {error}. Give --tls-ca, --tls-cert and --tls-key in PEM form, the key "
            "being the certificate's."
        ) from None
    return security


@contextmanager
def local_cluster(workers: int, check: Callable[[], None]) -> Iterator[Any]:
    """A client of a cluster on this machine, made for one run: one thread to a worker, TLS with keys of its own.

    Args:
        workers: Processes.
        check: Called while waiting; raises to give up.

    Raises:
        SweepError: A package is missing, or no worker comes up.
    """
    dask, distributed = _packages()
    try:
        security = (
            distributed.Security.temporary()
        )  # in memory alone; each process writes it for OpenSSL, then removes it
    except ImportError:
        raise SweepError(
            'sweeps need the package cryptography, which is missing. Run: pip install "equinoise[studies]"'
        ) from None
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="equinoise-sweep-", ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set(_configuration(folder, workers)))
        cluster = stack.enter_context(_quiet_cluster(folder, security))
        cluster.scale(workers)
        client = stack.enter_context(distributed.Client(cluster, set_as_default=False, security=security))
        _await_workers(client, "this machine", check)
        yield client


def _packages() -> tuple[Any, Any]:
    try:
        import dask
        import distributed
    except ImportError:
        raise SweepError(
            'sweeps need the package distributed, which is missing. Run: pip install "equinoise[studies]"'
        ) from None
    return dask, distributed


def _configuration(folder: str, workers: int) -> dict[str, Any]:
    """Of a cluster on this machine: nothing on disk, no page served, no logs that grow, one thread to a worker."""
    environment = dict(_ONE_THREAD)
    if "EQUINOISE_MEMORY_GB" not in os.environ:  # each worker's engines may take their share of the memory
        environment["EQUINOISE_MEMORY_GB"] = f"{0.85 * psutil.virtual_memory().available / 1e9 / workers:.3f}"
    return {
        "temporary-directory": folder,
        "distributed.nanny.pre-spawn-environ": environment,
        "distributed.scheduler.worker-ttl": None,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.low-level-log-length": 100,
        "distributed.admin.log-length": 100,
        "distributed.diagnostics.computations.max-history": 1,
    }


@contextmanager
def _quiet_cluster(folder: str, security: Any) -> Iterator[Any]:
    import distributed

    start: Any = distributed.LocalCluster
    loud = logging.getLogger("distributed").level
    # threads and processes inherit the mask: Ctrl-C in a terminal goes to this thread alone, not to the workers
    masks = getattr(signal, "pthread_sigmask", None)  # not on Windows
    if masks:
        resource_tracker.ensure_running()  # else it starts later, with the mask taken off its thread
    old = masks(signal.SIG_BLOCK, {signal.SIGINT}) if masks else None
    try:
        cluster = start(
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=security,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL + 1,
            memory_limit=0,
            local_directory=folder,
        )
    finally:
        if masks:
            masks(signal.SIG_SETMASK, old)
    try:
        cluster.scheduler.http_server.stop()  # it listens even without a dashboard
        yield cluster
    finally:
        with suppress(TimeoutError):  # on a busy machine; it must not hide why the sweep ends, and workers end with it
            cluster.close(timeout=10)
        logging.getLogger("distributed").setLevel(loud)


def _await_workers(client: Any, where: str, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not client.scheduler_info(n_workers=-1)["workers"]:
        check()
        if time.monotonic() > deadline:
            raise SweepError(f"no worker came up at {where} within {_PATIENCE:.0f} s. Start some with `dask worker`.")
        time.sleep(0.05)


def _check_versions(client: Any, scheduler: str) -> None:
    """Workers that someone else started must have this equinoise."""
    mine = _versions()
    try:
        found = client.run(_versions)
    except Exception as error:
        raise SweepError(
            f"the workers at {scheduler} cannot import equinoise {mine[0]}: {error}. Install it there."
        ) from None
    for worker, theirs in found.items():
        if tuple(theirs) != mine:
            raise SweepError(
                f"the worker {worker} has equinoise {theirs[0]} (tasks {theirs[1]}), this machine {mine[0]} "
                f"(tasks {mine[1]}). Install the same."
            )


def _versions() -> tuple[str, int]:
    return version("equinoise"), TASK_SCHEMA
