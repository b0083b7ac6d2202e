"""Prepares the cache: two Python environments and the unpacked Milvus server.

Runs with the system's Python and the standard library only. Every step leaves a stamp that names
what it installed, so a second run does nothing, and a changed pin redoes only its own step.
"""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
import sys
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


def main() -> None:
    make_venv("milvus")
    with ThreadPoolExecutor(2) as pool:  # the download and lzma beside pip: both wait on one core
        for job in (pool.submit(make_venv, "lite"), pool.submit(unpack_milvus)):
            job.result()


if __name__ == "__main__":
    main()
