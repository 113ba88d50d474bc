from __future__ import annotations

import time

import pytest

from backend.deadline import within


def test_a_result_in_time() -> None:
    assert within(5, lambda x: x + 1, 1) == 2


def test_an_exception_is_handed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


def test_a_late_result_is_not_waited_for() -> None:
    start = time.perf_counter()
    with pytest.raises(TimeoutError):
        within(0.05, time.sleep, 2)
    assert time.perf_counter() - start < 1
