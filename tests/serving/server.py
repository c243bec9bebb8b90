"""A https server of a folder, for tests: as it should be, or as a test wants it to be."""

import contextlib
import datetime
import functools
import http.server
import ipaddress
import ssl
import threading
from pathlib import Path

import pytest


def certificate(folder):
    """Write a certificate of 127.0.0.1 with its key; return the path."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / "server.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(pem))
    return path


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves files with ranges; `faults` maps a name to how its answer goes wrong."""

    def __init__(self, *arguments, folder, faults, requests):
        self.folder, self.faults, self.requests = folder, faults, requests
        super().__init__(*arguments)

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        asked = self.headers.get("Range")
        self.requests.append((name, asked))
        fault = self.faults.get(name, {})
        path = self.folder / name
        if "redirect" in fault or not path.is_file():
            self.send_response(302 if "redirect" in fault else 404)
            self.send_header("Location", fault.get("redirect", ""))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = fault.get("content", path.read_bytes()) + fault.get("more", b"")
        start = int(asked.split("=")[1].rstrip("-")) if asked and "ranges" not in fault else 0
        start += fault.get("shift", 0) if start else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if "silent" not in fault:
            self.send_header("Content-Length", str(fault.get("length", len(content) - start)))
        self.end_headers()
        self.wfile.write(content[start : start + fault.get("stop", len(content))])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder, pem):
    """Yield the address, the faults by file name, and the requests (name, range) so far."""
    faults, requests = {}, []
    handler = functools.partial(_Handler, folder=Path(folder), faults=faults, requests=requests)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/site", faults, requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
