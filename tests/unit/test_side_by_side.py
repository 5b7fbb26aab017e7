import asyncio

import pytest

from activities.side_by_side import side_by_side


async def test_results_are_in_the_works_order_whichever_ends_first() -> None:
    first_may_end = asyncio.Event()

    async def first() -> str:
        await first_may_end.wait()
        return "first"

    async def second() -> str:
        first_may_end.set()
        return "second"

    assert await side_by_side([first(), second()]) == ["first", "second"]


async def test_an_error_is_raised_once_every_work_has_ended() -> None:
    ended = []

    async def fail() -> None:
        raise ValueError("broken")

    async def work() -> None:
        await asyncio.sleep(0.01)
        ended.append("work")

    with pytest.raises(ValueError, match="broken"):
        await side_by_side([fail(), work(), work(), work()])
    assert ended == ["work"] * 3


async def test_a_cancellation_reaches_works_that_run_and_those_that_wait() -> None:
    running = asyncio.Event()
    cancelled = []

    async def work(name: int) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    task = asyncio.create_task(side_by_side([work(number) for number in range(100)]))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 in cancelled
