"""The files of deploy/: right by the schemas of those who read them, and about settings and files that there are."""

from __future__ import annotations

import base64
import fnmatch
import importlib.resources
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer

from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.program import app
from execsvc.cli.protection import certificate_files, require_protection
from execsvc.cli.server import LEAVE
from execsvc.config import SETTINGS
from execsvc.config.loading import load
from execsvc.config.models import ServerSettings
from execsvc.errors import Overloaded
from execsvc.gateway.settings import Settings as GatewaySettings
from execsvc.wire.errors import status_of
from tests.support import deployments
from tests.support.deployments import DEPLOY, KUBERNETES, ROOT, Deployment
from tests.support.pages import blocks

#: Configurations of Envoy.
PROXIES = ("envoy/envoy.yaml", "compose/envoy.yaml")
#: Variables of others that the files set beside ours.
OTHERS = {"PATH", "PYTHONUNBUFFERED", "PGPASSWORD", "OPENAI_API_KEY"}

#: Flags of how to reach a server, which every command has that talks to one.
CONNECTION = {SETTINGS[name].flag for name in ("call_timeout", "tls", "ca", "cert", "key")}

ALL = deployments.all_deployments()
each_deployment = pytest.mark.parametrize("deployment", ALL, ids=[each.name for each in ALL])


def flags_of(command: str) -> set[str]:
    """The long flags of a command."""
    found = typer.main.get_command(app)
    assert isinstance(found, typer.core.TyperGroup)
    return {flag for parameter in found.commands[command].params for flag in parameter.opts}


def in_force(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """The settings as a server would read them."""
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)
    for name, value in deployment.environment.items():
        if name.startswith("EXECSVC_"):
            monkeypatch.setenv(name, value)
    return load(ServerSettings, {}, file=None).settings


def protect(settings: ServerSettings) -> None:
    """What ``serve`` asks for before it listens."""
    certificate_files(settings)
    require_protection(settings, [("--address", settings.address), ("--http", settings.http)])


@each_deployment
def test_only_settings_that_there_are_are_set_and_their_values_are_taken(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {setting.variable for setting in SETTINGS.values()}

    assert set(deployment.environment) <= known | OTHERS
    assert in_force(deployment, monkeypatch)
    assert deployment.command[0] == "serve"
    assert {word for word in deployment.command if word.startswith("--")} <= flags_of("serve")


@each_deployment
def test_a_server_is_let_finish_before_it_is_killed(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = deployment.before + GatewaySettings(target="").grace + in_force(deployment, monkeypatch).grace + LEAVE

    assert deployment.patience >= needed + 10


@each_deployment
def test_a_server_listens_beyond_its_machine_only_behind_protection(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = in_force(deployment, monkeypatch)

    protect(settings)
    local = deployment.name == "systemd"
    assert (settings.tls_cert is not None) + settings.insecure == (0 if local else 1)
    assert settings.address.startswith("127.") == local


def test_a_container_of_which_nothing_is_said_does_not_start_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Deployment(
        name="", command=deployments.image_command(), environment=deployments.image_environment(), patience=0
    )

    with pytest.raises(CliError) as refused:
        protect(in_force(bare, monkeypatch))

    assert refused.value.reason == "UNPROTECTED_ADDRESS"


# systemd


def test_suggested_variables_are_settings() -> None:
    suggested = deployments.variables(DEPLOY / "systemd/execsvc.env", commented=True)

    assert set(suggested) <= {setting.variable for setting in SETTINGS.values()} | OTHERS
    assert {"EXECSVC_STORE", "EXECSVC_RETENTION"} <= set(suggested)


def test_the_unit_is_hardened_and_restarts_what_fails_but_not_what_is_set_wrong() -> None:
    unit = deployments.unit(DEPLOY / "systemd/execsvc.service")

    assert unit["Service.DynamicUser"] == ["yes"]
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.NoNewPrivileges"] == ["yes"]
    assert unit["Service.CapabilityBoundingSet"] == [""]
    assert unit["Service.Restart"] == ["on-failure"]
    assert unit["Service.RestartPreventExitStatus"] == [str(int(ExitCode.USAGE))]
    assert unit["Service.EnvironmentFile"] == ["-/etc/execsvc/execsvc.env"]


def test_the_certificates_of_the_drop_in_are_those_that_systemd_hands_over() -> None:
    unit = deployments.unit(DEPLOY / "systemd/tls.conf")

    handed = {f"%d/{line.partition(':')[0]}" for line in unit["Service.LoadCredential"]}
    used = dict(line.split("=", 1) for line in unit["Service.Environment"])
    assert {used["EXECSVC_TLS_CERT"], used["EXECSVC_TLS_KEY"]} == handed


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    unit = tmp_path / "execsvc.service"
    text = (DEPLOY / "systemd/execsvc.service").read_text(encoding="utf-8")
    # It wants to find the program.
    unit.write_text(text.replace("/opt/execsvc/bin/execsvc", "/bin/true"), encoding="utf-8")
    drop_ins = tmp_path / "execsvc.service.d"
    drop_ins.mkdir()
    shutil.copy(DEPLOY / "systemd/tls.conf", drop_ins)

    def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["systemd-analyze", *arguments, str(unit)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    verified = analyze("verify", "--man=no")
    assert (verified.returncode, verified.stderr) == (0, "")
    # In tenths; systemd calls up to 1.9 "OK".
    closed = analyze("security", "--offline=yes", "--threshold=15", "--no-pager")
    assert closed.returncode == 0, closed.stdout


# the image


def stages() -> list[list[Any]]:
    """The instructions of each stage."""
    found: list[list[Any]] = []
    for command in deployments.image():
        if command.cmd.upper() == "FROM":
            found.append([])
        if found:
            found[-1].append(command)
    return found


def test_the_image_runs_as_nobody_special_and_holds_nothing_of_the_build() -> None:
    build, final = stages()

    assert "AS" in build[0].value
    [user] = [command.value[0] for command in final if command.cmd.upper() == "USER"]
    assert int(user.partition(":")[0]) > 0
    assert user == ":".join(
        str(deployments.only("base", "Deployment")["spec"]["template"]["spec"]["securityContext"][name])
        for name in ("runAsUser", "runAsGroup")
    )
    copied = [command for command in final if command.cmd.upper() in ("COPY", "ADD")]
    assert [command.flags for command in copied] == [("--from=build",)]


def test_what_the_image_copies_is_there_and_is_let_through() -> None:
    build, _ = stages()
    sources = [source for command in build if command.cmd.upper() == "COPY" for source in command.value[:-1]]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert "*" in ignored
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored
    # What pyproject.toml puts into the wheel.
    assert {"execsvc", "clients/python/src", "pyproject.toml"} <= set(sources)


def pins(lock: str) -> set[str]:
    """The versions that a lock file names, with their conditions."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("--hash=sha256:" in line for line in lines)
    assert "://" not in text
    return {line.split(";")[0].split("--hash")[0].strip() for line in lines}


def test_the_image_has_the_versions_that_the_tests_run_with() -> None:
    image, build, tested = pins("image.lock"), pins("build.lock"), pins("dev.lock")

    assert image <= tested
    assert build <= tested
    assert {pin.partition("==")[0] for pin in image} >= {"grpcio", "langgraph", "procrastinate", "psycopg-binary"}
    assert any(pin.startswith("hatchling==") for pin in build)


def test_the_health_check_is_a_command_of_ours() -> None:
    [check] = [command for command in deployments.image() if command.cmd.upper() == "HEALTHCHECK"]
    kind, program, command, *arguments = check.value

    assert (kind, program, command) == ("CMD", "execsvc", "info")
    assert {word for word in arguments if word.startswith("--")} <= flags_of("info") | CONNECTION


# compose


def compose() -> Any:
    """The compose file."""
    [document] = deployments.documents(DEPLOY / "compose/compose.yaml")
    return document


def test_compose_takes_the_file() -> None:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))

    jsonschema.validators.validator_for(schema)(schema).validate(compose())


def test_only_the_proxy_is_reached_from_outside_and_the_database_by_servers_alone() -> None:
    services = compose()["services"]

    assert {name for name, service in services.items() if "ports" in service} == {"front"}
    assert {name for name, service in services.items() if "database" in service["networks"]} == {
        "postgres",
        "server-1",
        "server-2",
        "server-3",
    }
    assert compose()["networks"]["database"] == {"internal": True}


def test_the_proxy_knows_every_server_and_its_ports() -> None:
    servers = {name for name in compose()["services"] if name.startswith("server-")}
    [envoy] = deployments.documents(DEPLOY / "compose/envoy.yaml")
    reached = {
        cluster["name"]: {
            (where["address"], where["port_value"])
            for group in cluster["load_assignment"]["endpoints"]
            for entry in group["lb_endpoints"]
            for where in [entry["endpoint"]["address"]["socket_address"]]
        }
        for cluster in envoy["static_resources"]["clusters"]
    }
    environment = next(deployments.compose()).environment

    for cluster, variable in (("grpc", "EXECSVC_ADDRESS"), ("http", "EXECSVC_HTTP")):
        port = int(environment[variable].rpartition(":")[2])
        assert reached[cluster] == {(server, port) for server in servers}
    [listener] = envoy["static_resources"]["listeners"]
    port = listener["address"]["socket_address"]["port_value"]
    assert compose()["services"]["front"]["ports"] == [f"{port}:{port}"]


def test_variables_that_compose_asks_for_are_in_the_example() -> None:
    text = (DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8")

    assert set(re.findall(r"\$\{(\w+)", text)) == set(deployments.variables(DEPLOY / "compose/example.env"))


# Kubernetes


@pytest.mark.parametrize("overlay", ["base", "mesh"])
def test_kubernetes_takes_every_object(overlay: str) -> None:
    found = [*deployments.manifests(overlay), *deployments.secrets_example()]

    assert {manifest["kind"] for manifest in found} == {"Deployment", "Service", "PodDisruptionBudget", "Secret"}
    for manifest in found:
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_a_mistake_in_an_object_is_found() -> None:
    manifest = deployments.only("base", "Deployment")
    manifest["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_services_budget_and_deployment_mean_the_same_pods() -> None:
    deployment = deployments.only("base", "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in deployment["template"]["spec"]["containers"][0]["ports"]}

    assert deployment["selector"]["matchLabels"] == labels
    assert deployments.only("base", "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    for manifest in deployments.manifests("base"):
        if manifest["kind"] == "Service":
            assert manifest["spec"]["selector"] == labels
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= set(ports)
    environment = deployments.kubernetes("base").environment
    for port, variable in (("grpc", "EXECSVC_ADDRESS"), ("https", "EXECSVC_HTTP"), ("metrics", "EXECSVC_METRICS")):
        assert environment[variable].endswith(f":{ports[port]}")


def test_a_roll_out_never_takes_a_server_away_before_another_one_serves() -> None:
    spec = deployments.only("base", "Deployment")["spec"]

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert spec["replicas"] >= 2
    assert "readinessProbe" in spec["template"]["spec"]["containers"][0]


def test_pods_are_confined_and_get_no_variables_that_look_like_settings() -> None:
    pod = deployments.only("base", "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_certificate_is_where_the_settings_say() -> None:
    pod = deployments.only("base", "Deployment")["spec"]["template"]["spec"]
    [secret] = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    [mount] = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "tls"]
    [example] = [entry for entry in deployments.secrets_example() if entry["metadata"]["name"] == secret]
    environment = deployments.kubernetes("base").environment

    files = {f"{mount}/{name}" for name in example["stringData"]}
    assert {environment["EXECSVC_TLS_CERT"], environment["EXECSVC_TLS_KEY"]} == files


def test_a_mesh_leaves_no_certificate_and_probes_by_grpc() -> None:
    pod = deployments.only("mesh", "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert not any("secret" in volume for volume in pod["volumes"])
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    port = int(deployments.kubernetes("mesh").environment["EXECSVC_ADDRESS"].rpartition(":")[2])
    assert container["readinessProbe"]["grpc"] == container["startupProbe"]["grpc"] == {"port": port}
    assert container["livenessProbe"]["tcpSocket"] == {"port": port}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")
@pytest.mark.parametrize("overlay", ["base", "mesh"])
def test_kustomize_makes_what_these_tests_look_at(overlay: str) -> None:
    command = ["kubectl", "kustomize", str(KUBERNETES / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    made = {(each["kind"], each["metadata"]["name"]): each for each in deployments.yaml.safe_load_all(done.stdout)}

    [(_, settings)] = [key for key in made if key[0] == "ConfigMap"]
    assert made["ConfigMap", settings]["data"] == deployments.settings(overlay)
    assert fnmatch.fnmatch(settings, "execsvc-*")
    expected = deployments.only(overlay, "Deployment")
    [container] = expected["spec"]["template"]["spec"]["containers"]
    container["envFrom"][0]["configMapRef"]["name"] = settings
    container["image"] = "execsvc:latest"
    assert made["Deployment", "execsvc"] == expected


# what the page says


def test_every_file_is_spoken_of() -> None:
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    files = [path.relative_to(ROOT) for path in DEPLOY.rglob("*") if path.is_file()]
    # Of the overlays the folder is what a reader names.
    named = {str(path.parent if path.parent.name in ("base", "mesh", "grafana") else path) for path in files}

    assert {name for name in named if name not in page} == set()


def test_commands_and_variables_of_the_page_are_ours() -> None:
    path = ROOT / "docs/deployment.md"
    commands = [words for block in blocks(path, "sh") for words in block.commands() if words[0] == "execsvc"]

    assert commands
    for _, command, *arguments in commands:
        assert {word for word in arguments if word.startswith("--")} <= flags_of(command) | CONNECTION
    named = set(re.findall(r"EXECSVC_\w+", path.read_text(encoding="utf-8")))
    assert named <= {setting.variable for setting in SETTINGS.values()}


def test_both_proxies_refuse_a_crowd_as_a_server_does() -> None:
    limits = [_limit_of(config) for name in PROXIES for config in deployments.documents(DEPLOY / name)]
    (told,) = {limit["response_headers_to_add"][0]["header"]["value"] for limit in limits}
    assert base64.b64decode(told + "==") == status_of(Overloaded())[2]
    assert limits[0] == limits[1]


def _limit_of(config: Any) -> Any:
    (listener,) = config["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    (manager,) = chain["filters"]
    (limit,) = (each for each in manager["typed_config"]["http_filters"] if each["name"].endswith(".local_ratelimit"))
    return limit["typed_config"]
