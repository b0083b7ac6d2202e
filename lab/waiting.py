"""Waiting for a state, always with a deadline and a reason to show when it passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DeadlinePassed(AssertionError):
    """A state that was waited for did not come in time."""


def until(what: str, probe: Callable[[], T], timeout: float = 30.0, interval: float = 0.05) -> T:
    """Calls `probe` until it answers something true and returns that.

    An AssertionError or OSError of the probe counts as "not yet"; its text is part of the report.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            answer = probe()
            if answer:
                return answer
            last = answer
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise DeadlinePassed(f"not within {timeout:g} s: {what}\nlast seen: {last}")
        time.sleep(interval)
