"""What the doctor makes of facts that no test machine has: network disks, limits, wrong clocks, old certificates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from execsvc.certificates import CertificateFiles
from execsvc.cli.doctor import database as database_checks
from execsvc.cli.doctor.certificates import certificates, key_rights
from execsvc.cli.doctor.clock import Watch, beside_database, records
from execsvc.cli.doctor.database import file_database
from execsvc.cli.doctor.disk import Disk, disk_of
from execsvc.cli.doctor.environment import environment
from execsvc.cli.doctor.findings import Finding, Level
from execsvc.store import FileCondition


def levels(found: Iterable[Finding]) -> dict[str, Level]:
    """The level of each check."""
    return {one.check: one.level for one in found}


def machine(root: Path, **files: str) -> Path:
    """A machine's own files: memory and cpu."""
    for name, text in files.items():
        path = root / "sys/fs/cgroup/unit" / name.replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text("0::/unit\n")
    return root


@pytest.mark.parametrize(
    ("limit", "level"),
    [(128 << 20, Level.PROBLEM), (300 << 20, Level.WARNING), (600 << 20, Level.OK)],
)
def test_the_memory_of_a_container_counts_and_not_the_machine(tmp_path: Path, limit: int, level: Level) -> None:
    root = machine(tmp_path, memory_max=f"{limit}\n")

    found = {one.check: one for one in environment(max_concurrent=100, beyond=False, root=root)}

    assert found["environment.memory"].level is level
    assert found["environment.memory"].facts["bytes"] == limit


def test_no_limit_of_a_container_is_the_machine(tmp_path: Path) -> None:
    root = machine(tmp_path, memory_max="max\n", cpu_max="max 100000\n")

    found = {one.check: one for one in environment(max_concurrent=100, beyond=False, root=root)}

    assert found["environment.memory"].facts["limited"] is False
    assert found["environment.processors"].level is Level.OK


def test_more_executions_at_once_want_more_memory(tmp_path: Path) -> None:
    root = machine(tmp_path, memory_max=str(600 << 20))

    assert levels(environment(max_concurrent=50_000, beyond=False, root=root))["environment.memory"] is Level.WARNING


def test_half_a_processor_is_told(tmp_path: Path) -> None:
    root = machine(tmp_path, cpu_max="50000 100000\n")

    assert levels(environment(max_concurrent=1, beyond=False, root=root))["environment.processors"] is Level.WARNING


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:50 / /srv rw - nfs4 files:/srv rw,vers=4.2
31 22 0:51 / /srv/my\\040data rw - xfs /dev/sdb rw
32 22 0:52 / /mnt rw - fuse.sshfs me@there: rw
"""


@pytest.mark.parametrize(("folder", "kind"), [("/srv", "nfs4"), ("/srv/my data", "xfs"), ("/tmp", "ext4")])
def test_a_folder_is_on_the_mount_nearest_to_it(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    real = tmp_path / "x"
    real.mkdir()

    from execsvc.cli.doctor.disk import _mount

    assert _mount(Path(folder), mounts)[0] == kind
    assert disk_of(real, mounts).kind == "ext4"
    assert disk_of(real, tmp_path / "none").kind == ""


@pytest.mark.parametrize(
    ("kind", "level"),
    [("nfs4", Level.PROBLEM), ("fuse.sshfs", Level.PROBLEM), ("tmpfs", Level.WARNING), ("xfs", Level.OK)],
)
def test_network_disks_are_a_problem_and_fleeting_ones_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: Level
) -> None:
    disk = Disk(kind=kind, mount="/", total=100 << 30, free=50 << 30)
    monkeypatch.setattr(database_checks, "disk_of", lambda folder: disk)

    assert levels(file_database(tmp_path / "a.db"))["database.file_system"] is level


@pytest.mark.parametrize(
    ("free", "level"), [(10 << 20, Level.PROBLEM), (500 << 20, Level.WARNING), (50 << 30, Level.OK)]
)
def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    monkeypatch.setattr(database_checks, "disk_of", lambda _: Disk(kind="ext4", mount="/", total=100 << 30, free=free))

    assert levels(file_database(tmp_path / "a.db"))["database.room"] is level


@pytest.mark.parametrize(("seconds", "level"), [(0.1, Level.WARNING), (1e-6, Level.WARNING), (0.001, Level.OK)])
def test_flushes_that_are_slow_or_too_good_to_be_true_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, level: Level
) -> None:
    monkeypatch.setattr(database_checks, "flush_times", lambda _: [seconds] * 3)

    assert levels(file_database(tmp_path / "a.db"))["database.flush"] is level


def test_what_a_file_lacks_holds_back_or_hides_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.db").write_bytes(b"x")
    (tmp_path / "a.db").chmod(0o600)

    def condition(path: Path, *, within: float) -> FileCondition:
        future = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1e6)
        return FileCondition(size=1, wal=1 << 30, missing=["0002_x"], damage=None, newest=future, holder=None)

    monkeypatch.setattr(database_checks, "file_condition", condition)
    found = levels(file_database(tmp_path / "a.db"))

    assert {check for check, level in found.items() if level is Level.WARNING} >= {
        "database.integrity",
        "database.schema",
        "database.wal",
        "clock.records",
    }


def test_a_clock_that_is_set_or_wrong_is_told() -> None:
    steady = iter([0.0, 10.0, 0.0, 10.0, 0.0, 10.0])
    now = datetime.now(UTC).timestamp()
    wall = iter([now, now + 10, now, now - 3600, 0.0, 10.0])

    assert Watch(wall.__next__, steady.__next__).jumped().level is Level.OK
    assert Watch(wall.__next__, steady.__next__).jumped().level is Level.WARNING
    assert Watch(wall.__next__, steady.__next__).jumped().level is Level.PROBLEM


def test_clocks_that_differ_are_told() -> None:
    assert beside_database(0.2, 0.01).level is Level.OK
    assert beside_database(-5.0, 0.01).level is Level.WARNING
    assert records(0).level is Level.OK
    assert records(1_000_000, now=1.0).level is Level.OK
    assert records(1_000_000_000, now=1.0).level is Level.WARNING


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    """A certificate for 127.0.0.1 with its key."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    (tmp_path / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (tmp_path / "tls.key").chmod(0o600)
    return CertificateFiles(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")


def test_a_good_certificate_is_all_well(files: CertificateFiles) -> None:
    assert set(levels(certificates(files, host="127.0.0.1")).values()) == {Level.OK}
    assert levels(certificates(files, host="elsewhere.example"))["certificates.certificate_names"] is Level.WARNING
    assert levels(certificates(files, host="0.0.0.0"))["certificates.certificate_names"] is Level.OK


def test_a_certificate_is_told_before_it_ends_and_before_it_begins(files: CertificateFiles) -> None:
    check = "certificates.certificate_end"
    days = next(one for one in certificates(files, host="127.0.0.1") if one.check == check).facts["days"]
    assert isinstance(days, int)
    now = datetime.now(UTC)
    soon, after, before = (
        now + timedelta(days=days - 5),
        now + timedelta(days=days + 2),
        datetime(1999, 1, 1, tzinfo=UTC),
    )

    assert levels(certificates(files, host="127.0.0.1", now=soon))[check] is Level.WARNING
    assert levels(certificates(files, host="127.0.0.1", now=after))[check] is Level.PROBLEM
    assert levels(certificates(files, host="127.0.0.1", now=before))[check] is Level.PROBLEM


def test_a_key_of_another_certificate_is_a_problem(files: CertificateFiles) -> None:
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(str(files.key))

    assert levels(certificates(files, host="127.0.0.1"))["certificates.files"] is Level.PROBLEM


def test_a_chain_out_of_order_is_told(files: CertificateFiles) -> None:
    other = trustme.CA().cert_pem.bytes()
    files.certificate.write_bytes(files.certificate.read_bytes() + other)

    assert levels(certificates(files, host="127.0.0.1"))["certificates.certificate_chain"] is Level.WARNING


def test_files_that_are_not_there_are_problems(tmp_path: Path) -> None:
    files = CertificateFiles(certificate=tmp_path / "a", key=tmp_path / "b", client_ca=tmp_path / "c")

    found = levels(certificates(files, host="127.0.0.1"))

    assert found["certificates.files"] is Level.PROBLEM
    assert found["certificates.client_ca"] is Level.PROBLEM


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o640, Level.OK), (0o644, Level.WARNING)])
def test_a_key_that_others_can_read_is_told(tmp_path: Path, mode: int, level: Level) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "key").chmod(mode)

    assert [one.level for one in key_rights(tmp_path / "key", "certificates.key")] == [level]
