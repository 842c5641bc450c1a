"""The cluster of a sweep: nobody without its key gets in, and outside schedulers may ask for TLS."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import distributed
import psutil
import pytest

from equinoise.sweeps import cluster
from equinoise.sweeps.cluster import SweepError, TLSFiles, local_cluster, outside_cluster
from equinoise.sweeps.store import Store
from equinoise.sweeps.study_file import study_from_dict
from equinoise.sweeps.sweep import sweep

# generous: it only ends a test that hangs
PATIENCE = 120.0
TINY = {
    "name": "tiny",
    "circuits": [{"source": "brickwork", "n": 4, "depth": 2}],
    "readouts": ["middle"],
    "noise": ["dephasing:0.01"],
    "samples": 2,
    "quantities": ["law"],
}


def _never():
    return None


def _listening(process):
    everybody = [process, *process.children(recursive=True)]
    found = [c.laddr for one in everybody for c in one.net_connections() if c.status == psutil.CONN_LISTEN]
    return {(address.ip, address.port) for address in found}


def _credentials(folder, name):
    """Certificate (its own authority) and key, as files."""
    made = distributed.Security.temporary()
    folder.mkdir(exist_ok=True)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_text(made.tls_client_cert)
    key.write_text(made.tls_client_key)
    return TLSFiles(cert, cert, key)


@pytest.mark.slow
def test_nobody_without_the_runs_key_reaches_the_cluster_on_this_machine():
    before = _listening(psutil.Process())
    with local_cluster(1, _never) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        bare = address.replace("tls://", "tcp://")
        for where, security in (
            (bare, None),
            (address, distributed.Security.temporary()),  # well-formed, but made by somebody else
        ):
            with pytest.raises(OSError, match=r"(?i)tls|connection|closed|reset"):
                distributed.Client(where, timeout=5, security=security, set_as_default=False)
        assert client.submit(sum, [1, 2, 3]).result() == 6  # whoever has the key still computes
        ports = _listening(psutil.Process()) - before
        assert {ip for ip, _ in ports} == {"127.0.0.1"}
        for ip, port in ports:  # no dashboard, no status page, on no port of scheduler, nanny or worker
            with pytest.raises((ConnectionError, urllib.error.URLError)):
                urllib.request.urlopen(f"http://{ip}:{port}/status", timeout=5)


@contextlib.contextmanager
def _guarded_scheduler(folder, files):
    """A scheduler that asks for TLS and one worker, each a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tls://127.0.0.1:{port}"
    tls = ["--tls-ca-file", str(files.ca), "--tls-cert", str(files.cert), "--tls-key", str(files.key)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DASK_TEMPORARY_DIRECTORY": str(folder)}
    scheduler = ["distributed.cli.dask_scheduler", "--host", address, "--no-dashboard", *tls]
    worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *tls]
    with contextlib.ExitStack() as stack:
        for command in (scheduler, [*worker, "--local-directory", str(folder)]):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.kill)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield address


@pytest.mark.slow
def test_a_scheduler_with_tls_takes_the_sweep_that_brings_its_files_and_no_other(tmp_path, monkeypatch):
    files = _credentials(tmp_path / "keys", "right")
    with _guarded_scheduler(tmp_path, files) as address:
        summary = sweep(study_from_dict(TINY), tmp_path / "r.duckdb", scheduler=address, tls=files)
        assert (summary.done, summary.failed) == (1, 0)
        monkeypatch.setattr(cluster, "_PATIENCE", 6.0)  # it answers at once, but not to these
        for tls in (None, _credentials(tmp_path / "keys", "wrong")):
            with pytest.raises(SweepError, match=r"no Dask scheduler answers .*--tls-ca"):
                sweep(study_from_dict(TINY | {"seeds": [1]}), tmp_path / "r.duckdb", scheduler=address, tls=tls)
    assert len(Store(tmp_path / "r.duckdb").read_results()) == 1


def test_tls_files_that_cannot_be_used_are_named_before_anything_is_asked(tmp_path):
    files = _credentials(tmp_path, "a")
    with pytest.raises(SweepError, match=r"--tls-key: there is no file '.*none'"):
        TLSFiles(files.ca, files.cert, tmp_path / "none")
    with pytest.raises(SweepError, match="takes no TLS files: it must begin with tls://"):
        outside_cluster("tcp://127.0.0.1:9", files, _never).__enter__()
    (tmp_path / "junk").write_text("no certificate")
    for wrong in (
        TLSFiles(tmp_path / "junk", files.cert, files.key),
        TLSFiles(files.ca, files.cert, _credentials(tmp_path, "b").key),  # the key of another certificate
    ):
        with pytest.raises(SweepError, match="the TLS files cannot be used"):
            outside_cluster("tls://127.0.0.1:9", wrong, _never).__enter__()
    with pytest.raises(SweepError, match="TLS files are for --scheduler"):
        sweep(study_from_dict(TINY), tmp_path / "r.duckdb", tls=files)
    assert not (tmp_path / "r.duckdb").exists()
