"""What deploy-test wants of rendered files: check_deploy.py DIRECTORY. Writes the configuration found in them beside them."""

import pathlib
import sys

import yaml


def chart(work: pathlib.Path, name: str, kinds: set[str], replicas: int) -> None:
    docs = [doc for doc in yaml.safe_load_all((work / f"{name}.yaml").read_text()) if doc]
    by_kind = {doc["kind"]: doc for doc in docs}
    assert set(by_kind) == kinds, f"{name}: rendered {sorted(by_kind)}, not {sorted(kinds)}"
    (work / f"{name}.clawd.yaml").write_text(by_kind["ConfigMap"]["data"]["clawd.yaml"])

    labels = {"app.kubernetes.io/name": "clawd", "app.kubernetes.io/instance": "prod"}
    peers = next(doc for doc in docs if doc["metadata"]["name"] == "prod-peers")
    assert peers["spec"]["clusterIP"] == "None" and peers["spec"]["publishNotReadyAddresses"], "peers must find each other early"
    stateful = by_kind["StatefulSet"]["spec"]
    assert stateful["replicas"] == replicas and stateful["serviceName"] == "prod-peers" and stateful["podManagementPolicy"] == "Parallel"
    assert stateful["selector"]["matchLabels"] == labels == stateful["template"]["metadata"]["labels"]
    pod = stateful["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz" and container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert by_kind["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    between = by_kind["NetworkPolicy"]["spec"]["ingress"][0]
    assert between["from"] == [{"podSelector": {"matchLabels": labels}}], "only nodes speak to nodes"


def compose(work: pathlib.Path, path: pathlib.Path) -> None:
    services = yaml.safe_load(path.read_text())["services"]
    assert {"a", "b", "c", "prometheus", "grafana"} == set(services)
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), f"{name} is open to others"
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (path.parent / source).exists(), f"{name}: {source} is not there"
    environment = {**services["b"]["environment"], "CLAWD_DATA_DIR": "/data"}
    (work / "compose.env").write_text("\n".join(f"{key}={value}" for key, value in environment.items()))


work = pathlib.Path(sys.argv[1])
core = {"ConfigMap", "Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy"}
chart(work, "plain", core, 3)
chart(work, "full", core | {"ServiceMonitor"}, 5)
compose(work, pathlib.Path("deploy/compose/compose.yaml"))
