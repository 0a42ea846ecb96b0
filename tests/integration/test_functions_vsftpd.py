"""ftpfunction against vsftpd, the server of the thesis and of the role: its own configuration, loopback only."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from functionhost import Running, free_port, running

PASSWORD = "s3cret-for-tests"

VSFTPD = shutil.which("vsftpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = [
    pytest.mark.skipif(VSFTPD is None, reason="needs vsftpd (Debian: apt-get install vsftpd)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="vsftpd needs root to change its root folder"),
]

# No account is made on this machine: it is the anonymous user (the package's own "ftp"), with a list of passwords that
# are let in.
CONFIGURATION = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=NO
secure_email_list_enable=YES
email_password_file={folder}/passwords
nopriv_user=nobody
anon_root={root}
secure_chroot_dir={empty}
pasv_enable=YES
pasv_min_port=20000
pasv_max_port=60000
delay_failed_login=0
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
xferlog_enable=YES
vsftpd_log_file={folder}/log
"""


@dataclass
class Server:
    port: int
    root: Path
    log: Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    root, empty = tmp_path / "root", tmp_path / "empty"
    for folder in (root, empty):
        folder.mkdir()
        folder.chmod(0o555)
    # Its children change their user before they come here.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    port = free_port()
    (tmp_path / "passwords").write_text(f"{PASSWORD}\n")
    configuration = tmp_path / "vsftpd.conf"
    configuration.write_text(CONFIGURATION.format(port=port, folder=tmp_path, root=root, empty=empty))
    # A session of its own, so that the children which serve connections can be ended with it.
    process = subprocess.Popen(
        [str(VSFTPD), str(configuration)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        await_port(port, process)
        yield Server(port, root, tmp_path / "log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        if process.poll() is not None:
            assert process.stdout is not None
            raise AssertionError(f"vsftpd ended: {process.stdout.read().decode()}")
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.01)
    raise AssertionError("vsftpd does not listen")


def ftpfunction(port: int, password: str = PASSWORD, **env: str) -> AbstractContextManager[Running]:
    settings = {"ftp_host": "127.0.0.1", "ftp_port": str(port), "ftp_user": "anonymous", "ftp_password": password}
    return running("ftpfunction", {**settings, **env})


def outcome(replica: Running) -> tuple[int, object]:
    answer = replica.request("POST", "/")
    assert answer.headers["Content-Type"] == "application/json"
    assert PASSWORD.encode() not in answer.body
    return answer.status, json.loads(answer.body)


def test_downloads(server: Server) -> None:
    (server.root / "test.txt").write_bytes(b"x" * 1_234_567)
    with ftpfunction(server.port) as replica:
        assert outcome(replica) == (200, {"result": {"status": "done"}})
        assert replica.logged() == ""
    # vsftpd's own word for it.
    log = server.log.read_text()
    assert "OK DOWNLOAD" in log
    assert "1234567 bytes" in log


def test_many_at_once(server: Server) -> None:
    (server.root / "test.txt").write_bytes(b"x" * 10_000)
    with ftpfunction(server.port) as replica, ThreadPoolExecutor(15) as pool:
        statuses = list(pool.map(lambda _: replica.request("POST", "/").status, range(60)))
    assert statuses == [200] * 60
    assert server.log.read_text().count("OK DOWNLOAD") == 60


def test_wrong_password(server: Server) -> None:
    (server.root / "test.txt").write_bytes(b"x")
    with ftpfunction(server.port, password="wr0ng") as replica:
        assert outcome(replica) == (502, {"error": "the FTP server answered 530 to PASS"})
        assert "wr0ng" not in replica.logged()


def test_missing_file(server: Server) -> None:
    with ftpfunction(server.port) as replica:
        assert outcome(replica) == (502, {"error": "the FTP server answered 550 to RETR test.txt"})


def test_empty_file(server: Server) -> None:
    (server.root / "test.txt").touch()
    with ftpfunction(server.port) as replica:
        assert outcome(replica) == (502, {"error": "test.txt is empty on the FTP server"})


def test_server_down() -> None:
    port = free_port()
    with ftpfunction(port) as replica:
        assert outcome(replica) == (502, {"error": f"no FTP at 127.0.0.1:{port}: ECONNREFUSED"})
        assert replica.request("GET", "/_/health").status == 200


def test_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, ftpfunction(mute.getsockname()[1], ftp_timeout="1") as replica:
        assert outcome(replica) == (502, {"error": "FTP took more than 1 s"})


@pytest.mark.parametrize("name", ["ftp_host", "ftp_user", "ftp_password"])
def test_missing_setting(name: str) -> None:
    with ftpfunction(9, **{name: ""}) as replica:
        assert outcome(replica) == (500, {"error": f"environment: {name}: found nothing, allowed: a value"})
