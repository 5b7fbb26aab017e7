"""Fakes of all activities, by name: they note their calls and answer what the script says."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, get_type_hints

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from regreen.roles import ROLES, Role, task_queue
from workers.registry import activities_of
from workers.worker import make_worker


class Script:
    """What every activity answers, and what it was asked.

    An answer is a value, an exception to raise, or a function of the argument that gives the value.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = {name: [answer] for name, answer in answers.items()}
        self._given: dict[str, list[Any]] = {}
        self.timeline: list[str] = []
        """`NAME starts` and `NAME ends`, in order."""

    def answer(self, name: str, *answers: Any) -> None:
        """Let the activity give these answers in turn; the last one stays."""
        if name not in self._answers:
            raise KeyError(f"no activity {name}")
        self._answers[name] = list(answers)

    def given(self, name: str) -> list[Any]:
        """The arguments of the activity's calls so far, in order."""
        return self._given.get(name, [])

    @property
    def called(self) -> list[str]:
        """The names of the activities in the order in which they were called."""
        return [line.removesuffix(" starts") for line in self.timeline if line.endswith(" starts")]

    def of_role(self, role: Role) -> list[Callable[..., Any]]:
        """Fakes of exactly the activities that workers of the role serve, with their types."""
        return [self._fake(real) for real in activities_of(role)]

    def _fake(self, real: Callable[..., Any]) -> Callable[..., Any]:
        name = real.__name__
        argument_type, result_type = get_type_hints(real).values()

        async def fake(argument: Any) -> Any:
            return await self._perform(name, argument)

        fake.__annotations__ = {"argument": argument_type, "return": result_type}
        return activity.defn(name=name)(fake)

    async def _perform(self, name: str, argument: Any) -> Any:
        self._given.setdefault(name, []).append(argument)
        self.timeline.append(f"{name} starts")
        answers = self._answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            if callable(answer):
                answer = answer(argument)
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, BaseException):
                raise answer
            return answer
        finally:
            self.timeline.append(f"{name} ends")


class Held:
    """An answer that is given when the test says so, unless the activity is cancelled before."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.reached = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, argument: Any) -> Any:
        self.reached.set()
        while not self.release.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)
        return self._value


def refusal(kind: str, message: str) -> ApplicationError:
    """An error that is not tried again."""
    return ApplicationError(message, type=kind, non_retryable=True)


@asynccontextmanager
async def serving(client: Client, script: Script) -> AsyncIterator[None]:
    """The real orchestrator, and workers of the other roles with the script's fakes."""
    async with AsyncExitStack() as stack:
        for role in ROLES:
            if role == "orchestrator":
                worker = make_worker(client, role)
            else:
                worker = Worker(
                    client,
                    task_queue=task_queue(role),
                    activities=script.of_role(role),
                    # An activity hears of its cancellation with its next heartbeat.
                    max_heartbeat_throttle_interval=timedelta(milliseconds=100),
                )
            await stack.enter_async_context(worker)
        yield
