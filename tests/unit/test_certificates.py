"""Certificates from files: checked when they are read, renewed when they change, kept while they cannot be used."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from execsvc.certificates import CertificateFiles, Renewing
from execsvc.errors import CertificateUnusable

AUTHORITY = trustme.CA()


def write(folder: Path, *, authority: trustme.CA = AUTHORITY, client_ca: bool = False) -> CertificateFiles:
    """A certificate for this machine, in files."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = CertificateFiles(
        certificate=folder / "tls.crt", key=folder / "tls.key", client_ca=folder / "ca.crt" if client_ca else None
    )
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())
    if files.client_ca is not None:
        files.client_ca.write_bytes(authority.cert_pem.bytes())
    return files


def test_files_that_do_not_change_are_read_once(tmp_path: Path) -> None:
    certificates = Renewing(write(tmp_path))

    assert certificates.renewed() is None
    assert certificates.current.chain == (tmp_path / "tls.crt").read_bytes()


def test_files_that_change_are_read_anew_and_once(tmp_path: Path) -> None:
    certificates = Renewing(write(tmp_path))
    files = write(tmp_path)

    renewed = certificates.renewed()

    assert renewed is not None
    assert renewed.key == files.key.read_bytes()
    assert certificates.current is renewed
    assert certificates.renewed() is None


def test_a_link_that_points_elsewhere_is_a_change(tmp_path: Path) -> None:
    # As Kubernetes swaps the files of a secret.
    first, second, link = tmp_path / "first", tmp_path / "second", tmp_path / "now"
    for folder in (first, second):
        folder.mkdir()
        write(folder)
    link.symlink_to(first)
    certificates = Renewing(CertificateFiles(certificate=link / "tls.crt", key=link / "tls.key"))

    (tmp_path / "next").symlink_to(second)
    (tmp_path / "next").replace(link)

    renewed = certificates.renewed()
    assert renewed is not None
    assert renewed.chain == (second / "tls.crt").read_bytes()


def test_what_cannot_be_used_leaves_the_old_ones_in_use_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Renewing(write(tmp_path))
    before = certificates.current
    (tmp_path / "tls.key").write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes())

    assert certificates.renewed() is None
    assert certificates.current is before
    assert "the key is of another certificate" in caplog.text
    os.unlink(tmp_path / "tls.key")
    assert certificates.renewed() is None
    write(tmp_path)
    assert certificates.renewed() is not None


def test_what_is_wrong_with_files_is_told_and_no_key_is_shown(tmp_path: Path) -> None:
    files = write(tmp_path, client_ca=True)
    key = files.key.read_bytes()
    other = trustme.CA().issue_cert("x").private_key_pem.bytes()
    encrypted = key.replace(b"RSA PRIVATE", b"ENCRYPTED PRIVATE").replace(b"EC PRIVATE", b"ENCRYPTED PRIVATE")
    assert files.client_ca is not None
    cases = (
        (files.certificate, None, r"tls\.crt cannot be used: no such file or directory"),
        (files.key, None, r"tls\.key cannot be used: no such file or directory"),
        (files.client_ca, None, r"ca\.crt cannot be used: no such file or directory"),
        (files.certificate, b"nothing", r"tls\.crt with the key .*tls\.key cannot be used: .*PEM"),
        (files.key, b"nothing", r"tls\.crt with the key .*tls\.key cannot be used: .*PEM"),
        (files.key, other, r"tls\.crt with the key .*tls\.key cannot be used: the key is of another certificate"),
        (files.key, encrypted, r"tls\.crt with the key .*tls\.key cannot be used: "),
        (files.client_ca, b"nothing", r"ca\.crt cannot be used: it holds no certificate in PEM"),
    )
    for path, content, expected in cases:
        kept = path.read_bytes()
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(CertificateUnusable, match=expected) as error:
            Renewing(files)
        assert "PRIVATE" not in str(error.value)
        path.write_bytes(kept)
    assert repr(Renewing(files).current).count("PRIVATE") == 0


def test_certificates_fit_the_context_of_a_server(tmp_path: Path) -> None:
    from execsvc.certificates import server_context

    assert server_context(Renewing(write(tmp_path))).verify_mode is ssl.CERT_NONE
    assert server_context(Renewing(write(tmp_path, client_ca=True))).verify_mode is ssl.CERT_REQUIRED
