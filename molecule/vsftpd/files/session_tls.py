"""The same server when it asks for TLS: encrypted sessions work, plain ones are refused. Prints what went wrong."""

import ftplib
import io
import os
import ssl
import sys

address, user, password = sys.argv[1], sys.argv[2], os.environ["FTP_PASSWORD"]
context = ssl.create_default_context(cafile=sys.argv[3])
context.check_hostname = False
with ftplib.FTP_TLS(address, user, password, context=context, timeout=20) as ftp:
    ftp.prot_p()
    test = io.BytesIO()
    ftp.retrbinary("RETR test.txt", test.write)
    if not test.getvalue():
        print("test.txt did not come through TLS")
    version = ftp.sock.version() if isinstance(ftp.sock, ssl.SSLSocket) else "no TLS"
    if version not in ("TLSv1.2", "TLSv1.3"):
        print(f"the session is {version}")
try:
    ftplib.FTP(address, user, password, timeout=20)
    print("a plain login was allowed")
except ftplib.error_perm:
    pass
