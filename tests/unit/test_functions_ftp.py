"""The FTP client of ftpfunction: against pyftpdlib, and against scripted servers which do what no good server does."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

CLIENT = Path(__file__).resolve().parents[2] / "experiments" / "functions" / "ftpfunction" / "ftp.js"
PASSWORD = "s3cret,with spaces"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node (Debian: apt-get install nodejs)")

RUN = """
const { download, FtpError } = require(process.argv[1]);
const { server, file } = JSON.parse(process.argv[2]);
download(server, file).then(
  (bytes) => console.log(JSON.stringify({ bytes })),
  (error) => console.log(JSON.stringify({ error: error.message, known: error instanceof FtpError })),
);
"""


def download(
    port: int, *, user: str = "ftpuser", password: str = PASSWORD, file: str = "test.txt", timeout_ms: int = 10_000
) -> int | str:
    """The number of bytes, or the error's text, as the client in Node.js gives it."""
    server = {"host": "127.0.0.1", "port": port, "user": user, "password": password, "timeoutMs": timeout_ms}
    case = json.dumps({"server": server, "file": file})
    done = subprocess.run(
        ["node", "-e", RUN, str(CLIENT), case], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    if "error" in result:
        assert result["known"], result
        assert password not in result["error"]
        return str(result["error"])
    return int(result["bytes"])


@contextmanager
def ftp_server(root: Path, handler: type[FTPHandler] = FTPHandler) -> Iterator[int]:
    """pyftpdlib on a free port, in a thread of its own."""
    accounts = DummyAuthorizer()
    accounts.add_user("ftpuser", PASSWORD, str(root), perm="elr")
    own = type("Handler", (handler,), {"authorizer": accounts, "auth_failed_timeout": 0.1})
    server = FTPServer(("127.0.0.1", 0), own, ioloop=IOLoop())
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            server.ioloop.loop(timeout=0.05, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.address[1]
    finally:
        stopping.set()
        thread.join()


def without_epsv() -> type[FTPHandler]:
    commands = {name: how for name, how in FTPHandler.proto_cmds.items() if name != "EPSV"}
    return type("WithoutEpsv", (FTPHandler,), {"proto_cmds": commands})


@pytest.mark.parametrize("size", [1, 37, 65_536, 5_000_000])
def test_counts_every_byte(tmp_path: Path, size: int) -> None:
    # Line ends would change the count if the transfer were not binary.
    (tmp_path / "test.txt").write_bytes((b"\n\r\x00\xff" * (size // 4 + 1))[:size])
    with ftp_server(tmp_path) as port:
        assert download(port) == size


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "test.txt").touch()
    with ftp_server(tmp_path) as port:
        assert download(port) == 0


def test_falls_back_to_pasv(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("hello")
    with ftp_server(tmp_path, without_epsv()) as port:
        assert download(port) == 5


def test_goes_to_the_same_host_whatever_pasv_names(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("hello")
    handler = type("Masquerading", (without_epsv(),), {"masquerade_address": "198.51.100.1"})
    with ftp_server(tmp_path, handler) as port:
        assert download(port) == 5


def test_long_welcome_on_many_lines(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("hello")
    handler = type("Talkative", (FTPHandler,), {"banner": "Welcome to this server. 220 files wait for you. " * 20})
    with ftp_server(tmp_path, handler) as port:
        assert download(port) == 5


def test_wrong_password(tmp_path: Path) -> None:
    with ftp_server(tmp_path) as port:
        assert download(port, password="not it") == "the FTP server answered 530 to PASS"


def test_unknown_user(tmp_path: Path) -> None:
    with ftp_server(tmp_path) as port:
        assert download(port, user="nobody") == "the FTP server answered 530 to PASS"


def test_missing_file(tmp_path: Path) -> None:
    with ftp_server(tmp_path) as port:
        assert download(port) == "the FTP server answered 550 to RETR test.txt"


def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert download(port) == f"no FTP at 127.0.0.1:{port}: ECONNREFUSED"


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("user", {"user": "me\r\nDELE test.txt"}),
        ("password", {"password": "a\nb"}),
        ("file", {"file": "x\rSITE"}),
    ],
)
def test_line_breaks_are_not_sent(what: str, arguments: dict[str, str]) -> None:
    assert download(9, **arguments) == f"the {what} holds a line break, which FTP can't carry"


class Session:
    """One control connection, and the data connection which the script opens."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.lines = control.makefile("r", newline="\r\n")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.control.sendall(text.encode())

    def hear(self) -> str:
        line = self.lines.readline().rstrip("\r\n")
        self.heard.append(line)
        return line

    def log_in(self) -> None:
        """As far as the client having been told a data port."""
        self.say("220 ready\r\n")
        assert self.hear() == "USER ftpuser"
        self.say("331 go on\r\n")
        assert self.hear() == f"PASS {PASSWORD}"
        self.say("230 welcome\r\n")
        assert self.hear() == "TYPE I"
        self.say("200 binary\r\n")
        assert self.hear() == "EPSV"
        self.say(f"229 here (|||{self.listener.getsockname()[1]}|)\r\n")

    def data(self) -> socket.socket:
        return self.listener.accept()[0]


@contextmanager
def scripted(script: Callable[[Session], None]) -> Iterator[tuple[int, list[str]]]:
    """A server for one connection that does what the script does; a failure in the script fails the test."""
    heard: list[str] = []
    failures: list[BaseException] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        control, _ = listener.accept()
        session = Session(control)
        session.heard = heard
        with control, session.lines, session.listener, suppress(ConnectionError):
            try:
                script(session)
            except AssertionError as failure:
                failures.append(failure)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield listener.getsockname()[1], heard
        thread.join(10)
    if failures:
        raise failures[0]


def test_the_whole_conversation() -> None:
    def script(session: Session) -> None:
        session.log_in()
        with session.data() as data:
            assert session.hear() == "RETR test.txt"
            session.say("150 here it comes\r\n")
            data.sendall(b"12345")
        session.say("226 done\r\n")
        assert session.hear() == "QUIT"
        session.say("221 bye\r\n")

    with scripted(script) as (port, heard):
        assert download(port) == 5
    assert heard[-1] == "QUIT"


def test_a_reply_in_pieces() -> None:
    def script(session: Session) -> None:
        for byte in "220-first\r\nsecond\r\n220 end\r\n":
            session.say(byte)
        assert session.hear() == "USER ftpuser"
        session.say("5")
        session.say("00 no\r\n")

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server answered 500 to USER"


def test_what_is_no_reply_ends_it() -> None:
    def script(session: Session) -> None:
        session.say("SSH-2.0-OpenSSH_9.2\r\n220 ready\r\n")
        session.hear()

    with scripted(script) as (port, _):
        assert download(port) == "what answers there does not speak FTP"


def test_lines_inside_a_long_reply_are_text() -> None:
    def script(session: Session) -> None:
        session.say("220-first\r\n")
        session.say("331 not a reply of its own\r\n 220 indented\r\n\r\n220-still open\r\n220 end\r\n")
        assert session.hear() == "USER ftpuser"
        session.say("230 no password needed\r\n")
        assert session.hear() == "TYPE I"
        session.say("502 never\r\n")

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server answered 502 to TYPE I"


def test_data_before_the_reply_that_announces_it_counts() -> None:
    def script(session: Session) -> None:
        session.log_in()
        with session.data() as data:
            session.hear()
            data.sendall(b"x" * 100_000)
        # Both replies at once, after all is over.
        session.say("150 here it comes\r\n226 there it was\r\n")
        session.hear()

    with scripted(script) as (port, _):
        assert download(port) == 100_000


@pytest.mark.parametrize("ending", ["426 broken off\r\n", "451 disk error\r\n", "550 changed my mind\r\n"])
def test_a_broken_transfer_is_no_success(ending: str) -> None:
    def script(session: Session) -> None:
        session.log_in()
        with session.data() as data:
            session.hear()
            session.say("150 here it comes\r\n")
            data.sendall(b"half of")
        session.say(ending)
        session.hear()

    with scripted(script) as (port, _):
        assert download(port) == f"the FTP server answered {ending[:3]} to RETR test.txt"


def test_hanging_up_after_the_data_is_no_success() -> None:
    def script(session: Session) -> None:
        session.log_in()
        with session.data() as data:
            session.hear()
            session.say("150 here it comes\r\n")
            data.sendall(b"all of it")

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server closed the connection"


def test_reset_of_the_data_connection() -> None:
    def script(session: Session) -> None:
        session.log_in()
        data = session.data()
        session.hear()
        session.say("150 here it comes\r\n")
        data.sendall(b"half of")
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        data.close()
        session.say("426 broken off\r\n")
        session.hear()

    with scripted(script) as (port, _):
        # When data and reset come in one go, Node.js takes the reset for an end; then the reply tells.
        assert download(port) in {
            "the FTP data connection broke: ECONNRESET",
            "the FTP server answered 426 to RETR test.txt",
        }


@pytest.mark.parametrize("stage", ["welcome", "data"])
def test_silence_ends_at_the_time_limit(stage: str) -> None:
    def script(session: Session) -> None:
        if stage == "data":
            session.log_in()
            with session.data():
                session.hear()
                session.say("150 here it comes\r\n")
                session.hear()
        session.hear()

    with scripted(script) as (port, _):
        assert download(port, timeout_ms=1000) == "FTP took more than 1 s"


def test_too_busy() -> None:
    def script(session: Session) -> None:
        session.say("421 too many connections\r\n")

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server answered 421 to the connection"


def test_a_server_that_echoes_the_password_is_not_quoted() -> None:
    def script(session: Session) -> None:
        session.say("220 ready\r\n")
        session.hear()
        session.say("331 go on\r\n")
        session.say(f"530 {session.hear()} is wrong\r\n")

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server answered 530 to PASS"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("227 (127,0,0,1,0,0)", "the FTP server named port 0 in its answer to PASV"),
        ("227 (127,0,0,1,256,1)", "the FTP server named port 65537 in its answer to PASV"),
        ("227 somewhere", "the FTP server named no port in its answer to PASV"),
        ("425 no", "the FTP server answered 425 to PASV"),
    ],
)
def test_useless_answers_to_pasv(reply: str, error: str) -> None:
    def script(session: Session) -> None:
        session.say("220 ready\r\n")
        session.hear()
        session.say("230 welcome\r\n")
        session.hear()
        session.say("200 binary\r\n")
        assert session.hear() == "EPSV"
        session.say("229 but no port\r\n")
        assert session.hear() == "PASV"
        session.say(f"{reply}\r\n")

    with scripted(script) as (port, _):
        assert download(port) == error


def test_an_endless_line_is_not_collected() -> None:
    def script(session: Session) -> None:
        session.say("220 " + "x" * 200_000)
        session.hear()

    with scripted(script) as (port, _):
        assert download(port) == "the FTP server sent a line without an end"
