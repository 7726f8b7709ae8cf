"""Fetching the next thing while the last one is looked at; what is held is bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], arguments: Iterable[T], count: int) -> Iterator[R]:
    """Results of `function` in the order of `arguments`, up to `count` of them fetched beforehand."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def one_ahead(source: Iterable[T]) -> Iterator[T]:
    """The items of `source`, the next one asked for while this one is looked at."""
    end = object()
    items = iter(source)
    with ThreadPoolExecutor(1) as pool:
        coming: Future[T | object] = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # `end` never gets here
