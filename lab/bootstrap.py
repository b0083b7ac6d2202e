"""Prepares the cache: Python environments and the unpacked Milvus server; brokers if asked.

`bootstrap.py brokers` adds Kafka, Pulsar and their clients, and what else only tests need. Runs
with the system's Python and the standard library only. Every step leaves a stamp that names what it
installed, so a second run does nothing, and a changed pin redoes only its own step.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab import places  # noqa: E402


def _say(text: str) -> None:
    print(f"[setup] {text}", flush=True)


def _stamp_matches(stamp: Path, content: str) -> bool:
    return stamp.is_file() and stamp.read_text() == content


def make_venv(name: str) -> None:
    """Creates the environment, unless one with exactly these pins is there."""
    packages: list[str] = places.pins()["venv"][name]["packages"]
    folder = places.venv(name)
    stamp = folder / "pins.txt"
    wanted = "\n".join(packages) + "\n"
    if _stamp_matches(stamp, wanted):
        return
    _say(f"Python environment '{name}': {', '.join(packages[:2])}, ...")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *packages], check=True)
    stamp.write_text(wanted)


def _wheel() -> Path:
    """The Milvus wheel, from the cache or downloaded into it."""
    requirement: str = places.pins()["milvus"]["wheel"]
    pattern = requirement.replace("==", "-") + "-*.whl"
    places.WHEELS.mkdir(parents=True, exist_ok=True)
    found = sorted(places.WHEELS.glob(pattern))
    if not found:
        _say(f"downloading {requirement} (60 MB)")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        if subprocess.run([*pip, "--version"], capture_output=True).returncode != 0:
            pip = [str(places.venv("milvus") / "bin" / "python"), "-m", "pip"]
        command = [*pip, "download", "--quiet", "--no-deps", "--dest", str(places.WHEELS)]
        subprocess.run([*command, requirement], check=True)
        found = sorted(places.WHEELS.glob(pattern))
    if not found:
        raise SystemExit(f"[setup] no wheel {pattern} in {places.WHEELS} after the download")
    return found[-1]


def unpack_milvus() -> None:
    """Unpacks the server's binary and libraries and its configuration template."""
    wheel = _wheel()
    home = places.milvus_home()
    stamp = home / "wheel.sha256"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if _stamp_matches(stamp, digest):
        return
    _say(f"unpacking {wheel.name} (250 MB)")
    shutil.rmtree(home, ignore_errors=True)
    (home / "bin").mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("milvus/data/bin/") and name.endswith(".lzma"):
                target = home / "bin" / Path(name).name.removesuffix(".lzma")
                target.write_bytes(lzma.decompress(archive.read(name)))
                target.chmod(0o755)
        for name in ("config.yaml.template", "glog.conf"):
            (home / name).write_bytes(archive.read(f"milvus/data/{name}"))
    stamp.write_text(digest)


def _pom(artifacts: list[str], imported: str | None) -> str:
    """A project that depends on these, with the versions that the imported pom manages."""

    def coordinates(artifact: str) -> str:
        tags = zip(("groupId", "artifactId", "version"), artifact.split(":"), strict=False)
        return "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)

    managed = ""
    if imported:
        managed = f"{coordinates(imported)}<type>pom</type><scope>import</scope>"
        managed = f"<dependencies><dependency>{managed}</dependency></dependencies>"
        managed = f"<dependencyManagement>{managed}</dependencyManagement>"
    wanted = "".join(f"<dependency>{coordinates(one)}</dependency>" for one in artifacts)
    return (
        "<project><modelVersion>4.0.0</modelVersion>"
        f"{coordinates('milvus-cdc:lab-jars:0')}<packaging>pom</packaging>"
        f"{managed}<dependencies>{wanted}</dependencies></project>"
    )


def get_jars(broker: str) -> None:
    """Copies the broker's jars, and those they depend on, out of the Maven repository."""
    pins = places.pins()
    folder = places.jars(broker)
    pom = _pom(pins[broker]["artifacts"], pins[broker].get("import"))
    stamp = folder.parent / "pom.xml"
    if _stamp_matches(stamp, pom):
        return
    _say(f"jars of {broker} {pins[broker]['version']} (Maven; minutes the first time)")
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as project:
        (Path(project) / "pom.xml").write_text(pom)
        goal = f"{pins['maven']['plugin']}:copy-dependencies"
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
        command = ["mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", goal, *options]
        try:
            done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        except FileNotFoundError:
            raise SystemExit(f"[setup] {broker} needs Maven (`mvn`), which is missing") from None
    if done.returncode != 0:
        raise SystemExit(f"[setup] Maven found no jars of {broker}:\n{done.stdout}{done.stderr}")
    stamp.write_text(pom)


def install_broker_clients() -> None:
    """The clients for Python, and the library that the one of Pulsar brings along."""
    packages: list[str] = places.pins()["broker_clients"]["packages"]
    folder = places.venv("milvus")
    library = places.libpulsar()
    stamp, wanted = folder / "broker-clients.txt", "\n".join(packages) + "\n"
    if _stamp_matches(stamp, wanted) and library.is_file():
        return
    _say(f"clients of the brokers: {', '.join(packages)}")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *packages], check=True)
    found = list(folder.glob("lib/python3*/site-packages/pulsar_client.libs/libpulsar-*.so*"))
    if len(found) != 1:
        raise SystemExit(f"[setup] one libpulsar expected in {packages}, found {found}")
    library.parent.mkdir(parents=True, exist_ok=True)
    part = library.with_suffix(".part")
    shutil.copyfile(found[0], part)
    os.replace(part, library)
    stamp.write_text(wanted)


def get_promtool() -> None:
    """Debian's, without installing the package: that would start a server on the user's machine."""
    tool = places.promtool()
    if tool.is_file():
        return
    _say("promtool (19 MB)")
    with tempfile.TemporaryDirectory() as folder:
        download = ["apt-get", "download", "-qq", "prometheus"]
        if subprocess.run(download, cwd=folder, capture_output=True).returncode != 0:
            root = [] if os.geteuid() == 0 else ["sudo"]  # the lists may be old, or not there
            subprocess.run([*root, "apt-get", "update", "-qq"], check=True)
            subprocess.run(download, cwd=folder, check=True)
        (package,) = Path(folder).glob("prometheus_*.deb")
        unpacked = Path(folder) / "unpacked"
        subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        tool.parent.mkdir(parents=True, exist_ok=True)
        part = tool.with_suffix(".part")
        shutil.copy(unpacked / tool.relative_to(places.CACHE / "prometheus"), part)
        os.replace(part, tool)


def _all_jars() -> None:
    """One after the other: two runs of Maven would write into one repository."""
    for broker in ("pulsar", "kafka"):
        get_jars(broker)


def _python_environments(brokers: bool) -> None:
    make_venv("milvus")
    if brokers:
        install_broker_clients()
        make_venv("schemathesis")
    make_venv("lite")


def main(arguments: list[str]) -> None:
    brokers = arguments == ["brokers"]
    with ThreadPoolExecutor() as pool:  # the network, lzma and pip side by side
        jobs = [pool.submit(_python_environments, brokers)]
        if brokers:
            jobs.append(pool.submit(_all_jars))
            jobs.append(pool.submit(get_promtool))
        jobs.append(pool.submit(unpack_milvus))
        for job in jobs:
            job.result()


if __name__ == "__main__":
    main(sys.argv[1:])
