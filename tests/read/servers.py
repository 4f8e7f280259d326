"""Servers on loopback for the tests of remote files: nginx, XRootD, and one that fails as it is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip(f"no {name}: apt-get install {package}")
    return found


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                pytest.skip(f"{command[0]} does not run here: {log.read_text()[-300:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(10)


_NGINX = """
daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/error.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
  uwsgi_temp_path {work}; scgi_temp_path {work};
  server {{ listen 127.0.0.1:{port}; {ssl} root {root}; }}
}}
"""


@contextlib.contextmanager
def nginx(root: Path, work: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Serve a folder; yield its URL."""
    port = free_port()
    ssl = "" if certificate is None else "ssl_certificate {}; ssl_certificate_key {};".format(*certificate)
    text = _NGINX.format(root=root, work=work, port=port, ssl=ssl)
    text = text if certificate is None else text.replace(f":{port};", f":{port} ssl;")
    (work / "nginx.conf").write_text(text)
    command = [_program("nginx", "nginx-light"), "-c", str(work / "nginx.conf"), "-e", str(work / "error.log")]
    with _running(command, port, work / "out.log"):
        yield f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [_program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@contextlib.contextmanager
def xrootd() -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
    """Serve a new folder; yield its URL, the folder and the process."""
    program = _program("xrootd", "xrootd-server")
    port = free_port()
    work = Path(tempfile.mkdtemp(prefix="xrootd-"))  # not below pytest's folder, which its user cannot enter
    try:
        root = work / "data"
        root.mkdir()
        (work / "x.cfg").write_text(
            f"xrd.port {port}\nall.export {root}\nall.adminpath {work}/admin\nall.pidpath {work}/admin\n"
        )
        user: list[str] = []
        if os.getuid() == 0:  # it refuses to run as root
            shutil.chown(work, "daemon")
            user = ["-R", "daemon"]
        work.chmod(0o755)
        with _running([program, *user, "-c", str(work / "x.cfg"), "-l", f"{work}/x.log"], port, work / "o") as process:
            yield f"root://localhost:{port}/{root}", root, process
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Troubled(ThreadingHTTPServer):
    """Serves one file, and fails the first requests for ranges as it is told."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self.ranges = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/a.root"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Troubled

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._headers(200, len(self.server.content))

    def _headers(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.requests.append(wanted)
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        if trouble.isdigit():
            self._headers(int(trouble), 0)
            return
        if trouble == "hang":
            time.sleep(3)
            return
        content = self.server.content
        if wanted and self.server.ranges:
            first, last = wanted.removeprefix("bytes=").split("-")
            content = content[int(first) : int(last) + 1]
        self._headers(206 if wanted and self.server.ranges else 200, len(content))
        if trouble == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)
