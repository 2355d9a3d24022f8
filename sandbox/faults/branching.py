"""Trying something in a copy of the world: the process forks, the child goes on alone, only what it says comes back.

The simulators, moto's state, the timers and the product's own memory are as they were at that moment, without anybody
having to know what belongs to them. A thread does not come along: who branches must be the only one who does anything,
and the lab keeps no connection. What runs on in a branch must end with `end` or `fail`, whatever happens there.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class BranchFailed(Exception):
    """What was to be tried raised something, or its process came to an end; the text is its trace."""


class Branch(Generic[T]):
    """One fork of this process. Both sides have this object; `is_here` tells the branch from where it began."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 and later warn where there are threads. Those of the servers wait for connections, which
            # nobody makes; those that run tests wait for their turn.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._child = os.fork()
        self.is_here = self._child == 0
        if self.is_here:
            gc.disable()  # it lives for a second, and looking for garbage would copy what it only looks at
        os.close(self._reading if self.is_here else self._writing)

    def end(self, outcome: T) -> NoReturn:
        """In the branch: say what came of it, and end at once, without any of the process's own endings."""
        self._say(pickle.dumps((outcome, "")))

    def fail(self) -> NoReturn:
        """In the branch: say that what is being handled was raised, and end."""
        self._say(pickle.dumps((None, traceback.format_exc())))

    def wait(self) -> None:
        """Where it began: until the branch has ended, one way or the other."""
        try:
            with os.fdopen(self._reading, "rb") as pipe:
                self._said = pipe.read()
        except BaseException:  # a test that takes too long
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            raise
        finally:
            _, status = os.waitpid(self._child, 0)
        self._code = os.waitstatus_to_exitcode(status)

    def result(self) -> T:
        """What came of a branch that has been waited for. Raises BranchFailed."""
        if not self._said:
            raise BranchFailed(f"the process ended with {self._code} and said nothing")
        outcome, trace = pickle.loads(self._said)  # noqa: S301 - our own child
        if trace:
            raise BranchFailed(trace)
        return outcome  # type: ignore[no-any-return] # what `end` was given

    def _say(self, what: bytes) -> NoReturn:
        status = 1
        try:
            with os.fdopen(self._writing, "wb") as pipe:
                pipe.write(what)
            status = 0
        finally:
            os._exit(status)


def in_branch(tried: Callable[[], T]) -> T:
    """What *tried* returns, which is pickled; nothing of what it does is seen here. Raises BranchFailed."""
    gc.freeze()  # a collection in the branch would touch, and so copy, everything there is
    try:
        branch = Branch[T]()
        if branch.is_here:
            try:
                branch.end(tried())
            except BaseException:  # noqa: BLE001 - it is told where the branch began; nothing may run on from here
                branch.fail()
        branch.wait()
        return branch.result()
    finally:
        gc.unfreeze()


__all__ = ["Branch", "BranchFailed", "in_branch"]
