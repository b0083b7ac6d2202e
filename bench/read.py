"""Reading, decoding and ordering into nothing, beside a bare loop of the same client library.

From a local Kafka, Pulsar and RocksMQ: 64 KiB messages and single rows of 128 random floats, by
ZSTD as Milvus sends them. Run it on an idle machine; the brokers share it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab import places
from lab.broker import Broker
from lab.process import end_all_on_signals
from lab.stack import BASE_PORT, LOGS, make_broker

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "read_bench"
# Rows in all, bytes of a message. Enough for the 20 ms of the start not to show in the rate.
SIZES = {
    "64 KiB": (8_000_000, 65_536),
    "4 KiB": (1_500_000, 4_096),
    "single rows": (1_000_000, 600),
}
SHARES = {  # what the slower ones get of it
    "rocksmq": {},
    "kafka": {"64 KiB": 4},
    "pulsar": {"64 KiB": 4, "4 KiB": 10, "single rows": 16},
}


def messages(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while size := stream.read(4):
            yield stream.read(struct.unpack("<I", size)[0])


def fill(log: str, broker: Broker, channel: str, file: Path) -> None:
    """Sends them with the settings of Milvus' own producers."""
    if log == "kafka":
        from confluent_kafka import Producer

        producer = Producer(
            {
                "bootstrap.servers": broker.address,
                "compression.codec": "zstd",
                "linger.ms": 2,
                "message.max.bytes": 10_485_760,
                "enable.idempotence": True,  # keeps the order
            }
        )
        for payload in messages(file):
            while True:
                try:
                    producer.produce(channel, payload, partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()
        return
    import pulsar

    client = pulsar.Client(
        f"pulsar://{broker.address}",
        logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, "/dev/null"),
    )
    sender = client.create_producer(
        f"persistent://public/default/{channel}",
        compression_type=pulsar.CompressionType.ZSTD,
        batching_enabled=False,
        block_if_queue_full=True,
    )
    for payload in messages(file):
        sender.send_async(payload, lambda *_: None)
    sender.flush()
    client.close()


def address_of(log: str, broker: Broker | None) -> list[str]:
    if broker is None:
        return []
    if log == "kafka":
        return ["--kafka", broker.address]
    url = f"pulsar://{broker.address}"
    return ["--pulsar", url, "--library", str(places.libpulsar())]


def run(arguments: list[str]) -> float:
    done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return float(json.loads(done.stdout)["seconds"])


def pair_up(arguments: list[str], folder: Path, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of ours and of the bare loop, taken in turns."""
    ours: list[float] = []
    bare: list[float] = []
    os.sync()  # what was just written is not written back beside the runs
    for number in range(-1, pairs):  # the first pair warms the caches
        for mode in ("ours", "bare") if number % 2 else ("bare", "ours"):
            for file in folder.glob("store.db*"):
                file.unlink()
            seconds = run([*arguments, *(["--bare"] if mode == "bare" else [])])
            if number >= 0:
                (ours if mode == "ours" else bare).append(seconds)
    return ours, bare


def show(log: str, what: str, rows: int, ours: list[float], bare: list[float]) -> None:
    shares = sorted(b / o for o, b in zip(ours, bare, strict=True))
    low, median, high = statistics.quantiles(shares, n=4)
    print(
        f"| {log:<8}| {what:<12}| {rows / statistics.median(bare):>11,.0f} "
        f"| {rows / statistics.median(ours):>11,.0f} | {median:>6.0%} | {low:.0%} to {high:.0%} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench read", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--log", choices=LOGS, help="only this one")
    options = parser.parse_args()
    logs = [options.log] if options.log else list(LOGS)
    build = ["cmake", "--build", str(ROOT / "build" / "release"), "--target", "read_bench"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    end_all_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="milvus-cdc-bench-"))
    try:
        print("| log     | messages    | bare rows/s | ours rows/s | median | quartiles |")
        print("|---|---|---|---|---|---|")
        for log in logs:
            broker = make_broker(log, folder / log, BASE_PORT + 700)
            if broker is not None:
                broker.start()
            address = address_of(log, broker)
            for what, (rows, size) in SIZES.items():
                rows //= SHARES[log].get(what, 1)
                channel = f"bench{size}-rootcoord-dml_0"
                at = folder / f"{log}{size}"
                at.mkdir()
                common = ["--channel", channel, "--rows", str(rows)]
                write = [str(BINARY), *common, "--bytes", str(size), "--write", str(at)]
                subprocess.run(write, check=True)
                if broker is not None:
                    fill(log, broker, channel, at / "messages")
                common += ["--folder", str(at)]
                show(log, what, rows, *pair_up([*common, *address], at, options.pairs))
                shutil.rmtree(at)
            if broker is not None:
                broker.kill()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
