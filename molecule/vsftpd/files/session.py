"""What an FTP client may and may not do here. Arguments: address, user; password in the environment. Tells mistakes."""

import ftplib
import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

address, user, password = sys.argv[1], sys.argv[2], os.environ["FTP_PASSWORD"]
wrong: list[str] = []


def refused(what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except ftplib.error_perm:
        return
    wrong.append(f"{what} was allowed")


def session(number: int) -> bool:
    """Download test.txt, upload a file, read it back, delete it."""
    content = f"upload {number}\n".encode() * 100
    with ftplib.FTP(address, user, password, timeout=20) as ftp:
        test, back = io.BytesIO(), io.BytesIO()
        ftp.retrbinary("RETR test.txt", test.write)
        ftp.storbinary(f"STOR upload/{number}", io.BytesIO(content))
        ftp.retrbinary(f"RETR upload/{number}", back.write)
        ftp.delete(f"upload/{number}")
        return bool(test.getvalue()) and back.getvalue() == content


refused("anonymous login", lambda: ftplib.FTP(address, timeout=20).login())
refused("a wrong password", lambda: ftplib.FTP(address, user, password + "x", timeout=20))
refused("login as root", lambda: ftplib.FTP(address, "root", password, timeout=20))
with ftplib.FTP(address, user, password, timeout=20) as ftp:
    for path in ("/etc", "../../etc", "/etc/passwd"):
        refused(f"cwd {path}", lambda path=path: ftp.cwd(path))
    refused("reading /etc/passwd", lambda: ftp.retrbinary("RETR ../../../../etc/passwd", lambda _: None))
    refused("writing outside of upload", lambda: ftp.storbinary("STOR other.txt", io.BytesIO(b"x")))
    refused("replacing test.txt", lambda: ftp.storbinary("STOR test.txt", io.BytesIO(b"x")))
    if ftp.pwd() != "/":
        wrong.append(f"the home shows as {ftp.pwd()}")
with ThreadPoolExecutor(50) as pool:
    good = sum(pool.map(session, range(200)))
if good != 200:
    wrong.append(f"{200 - good} of 200 sessions, 50 at once, failed")
print("\n".join(wrong))
