"""Single rows at a steady rate, real Milvus on both sides: how far the target is behind.

The lag of a row: from the acknowledgement of its insert until the task's safe time covers it.
"""

from __future__ import annotations

import argparse
import bisect
import threading
import time
from typing import Any

import grpc
import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from lab.cdc_server import Task
from lab.quantiles import quantile
from lab.replicated import MODES, both_modes, replicated
from lab.stack import Stack

DIM = 128


def request(name: str, key: int, vector: list[float]) -> Any:
    """An insert of one row, as pymilvus would send it; its own code takes longer than Milvus."""
    data = schema_pb2
    return milvus_pb2.InsertRequest(
        collection_name=name,
        num_rows=1,
        fields_data=[
            data.FieldData(
                type=data.DataType.Int64,
                field_name=field,
                scalars=data.ScalarField(long_data=data.LongArray(data=[key])),
            )
            for field in ("id", "n")
        ]
        + [
            data.FieldData(
                type=data.DataType.FloatVector,
                field_name="vector",
                vectors=data.VectorField(dim=DIM, float_vector=data.FloatArray(data=vector)),
            )
        ],
        base=common_pb2.MsgBase(msg_type=common_pb2.MsgType.Insert),
    )


class SafeTime(threading.Thread):
    """Watches the safe time of a task: when was it first seen at or beyond a timestamp?"""

    def __init__(self, task: Task) -> None:
        super().__init__(daemon=True)
        self._task = task
        self._stop = threading.Event()
        self.times: list[float] = []
        self.safe: list[int] = []

    def run(self) -> None:
        while not self._stop.wait(0.01):
            safe = self._task.safe_ts
            self.times.append(time.monotonic())
            self.safe.append(safe)

    def stop(self) -> None:
        self._stop.set()
        self.join()

    def reached(self, ts: int) -> float:
        return self.times[bisect.bisect_left(self.safe, ts)]


def measure(stack: Stack, mode: str, rate: int, seconds: int) -> tuple[list[float], float, float]:
    """Lags in seconds, rows per second really written, processor seconds of milvus-cdc."""
    name = f"steady_{mode}"
    task, seeded = replicated(stack, mode, name, shards=2)
    address = stack.source.uri.removeprefix("http://")
    channel = grpc.insecure_channel(address)
    insert = channel.unary_unary(
        "/milvus.proto.milvus.MilvusService/Insert",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=milvus_pb2.MutationResult.FromString,
    )
    vectors = np.random.default_rng(1).random((64, DIM), dtype=np.float32).tolist()
    written: list[tuple[float, int]] = []
    failed: list[str] = []

    def answered(call: Any) -> None:
        result = call.result()
        if result.status.code != 0:
            failed.append(result.status.reason)
        written.append((time.monotonic(), result.timestamp))

    watch = SafeTime(task)
    watch.start()
    spent = stack.cdc.process.cpu_seconds
    began = time.monotonic()
    for key in range(rate * seconds):
        ahead = began + key / rate - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)
        insert.future(request(name, key + 1, vectors[key % 64])).add_done_callback(answered)
    while len(written) < rate * seconds:
        time.sleep(0.01)
    took = time.monotonic() - began
    task.wait_safe(max(ts for _, ts in written), 120)
    time.sleep(0.1)
    spent = stack.cdc.process.cpu_seconds - spent
    watch.stop()
    channel.close()
    task.delete()
    if failed:
        raise RuntimeError(f"{len(failed)} inserts failed: {failed[0]}")
    return [max(0.0, watch.reached(ts) - at) for at, ts in written], len(written) / took, spent


def main() -> None:
    parser = argparse.ArgumentParser(prog="./x bench steady", description=__doc__)
    parser.add_argument("--rate", type=int, default=2000, help="rows per second")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with both_modes() as stack:
        for mode in MODES:
            lags, rate, spent = measure(stack, mode, options.rate, options.seconds)
            print(
                f"{mode}: {rate:,.0f} rows/s, lag p50 {quantile(lags, 0.5) * 1000:.0f} ms, p99 "
                f"{quantile(lags, 0.99) * 1000:.0f} ms, max {max(lags) * 1000:.0f} ms, "
                f"{spent:.1f} processor s",
                flush=True,
            )


if __name__ == "__main__":
    main()
