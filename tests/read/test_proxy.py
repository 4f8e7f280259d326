"""A grid proxy that cannot open anything is said before anything is tried."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.read import proxy

REMOTE = ["/data/a.root", "root://site//store/b.root"]


def certificate(path: Path, begins: float, ends: float) -> Path:
    """A certificate that signs itself, valid between two times in hours from now."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there")
    key, request = path.with_suffix(".key"), path.with_suffix(".csr")
    now = datetime.datetime.now(datetime.UTC)
    first, last = ((now + datetime.timedelta(hours=h)).strftime("%Y%m%d%H%M%SZ") for h in (begins, ends))
    place = path.parent / "ca"
    place.mkdir()
    (place / "index").touch()
    (place / "serial").write_text("01")
    (place / "conf").write_text(
        f"[ca]\ndefault_ca=a\n[a]\ndatabase={place}/index\nserial={place}/serial\nnew_certs_dir={place}\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    new = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=me"]
    subprocess.run([*new, "-keyout", key, "-out", request], check=True, capture_output=True)
    sign = ["openssl", "ca", "-batch", "-selfsign", "-notext", "-startdate", first, "-enddate", last]
    files: list[str | Path] = ["-config", place / "conf", "-keyfile", key, "-in", request, "-out", path]
    subprocess.run([*sign, *files], check=True, capture_output=True)
    return path


def test_one_that_has_expired_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path / "proxy", -13, -1)
    monkeypatch.setenv(proxy.VARIABLE, str(path))
    with pytest.raises(InputError, match=r"X509_USER_PROXY=.*proxy: the grid proxy expired at 2.*UTC; voms-proxy-init"):
        proxy.check(REMOTE)
    assert proxy.check(REMOTE[:1]) is None, "local files need none"


def test_one_that_ends_soon_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(proxy.VARIABLE, str(certificate(tmp_path / "proxy", -1, 0.5)))
    warning = proxy.check(REMOTE)
    assert warning is not None
    assert "expires in 30 minutes" in warning or "expires in 29 minutes" in warning


def test_a_valid_one_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(proxy.VARIABLE, str(certificate(tmp_path / "proxy", -1, 12)))
    assert proxy.check(REMOTE) is None


def test_a_file_that_is_not_there_or_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(proxy.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match="no file that can be read"):
        proxy.check(REMOTE)
    if shutil.which("openssl") is None:
        return
    (tmp_path / "none").write_text("what")
    with pytest.raises(InputError, match="holds no certificate"):
        proxy.check(REMOTE)


def test_voms_is_asked_where_openssl_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxy").write_text("what")
    program = tmp_path / "voms-proxy-info"
    program.write_text("#!/bin/sh\necho 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(proxy.VARIABLE, str(tmp_path / "proxy"))
    with pytest.raises(InputError, match="expired at"):
        proxy.check(REMOTE)
    program.unlink()
    assert proxy.check(REMOTE) is None, "nobody can tell"


def test_nothing_is_asked_for_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(proxy.VARIABLE, raising=False)
    assert proxy.check(REMOTE) is None
