"""Python functions that C may call: no exception and no signal is lost on the way through the library.

ctypes prints and drops what a callback raises, and hands the library a garbage answer. A `try` in the callback does not
help against Ctrl-C: a signal that arrived while C was at work is handled at the entry of the callback, before its
first statement. So while the library works, signals are held back and handled inside the callback's `try`.
Even there Python drops what a handler raises while it collects garbage, so an interrupt is raised again where it is missed.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 1
"""What a callback answers after an exception: positive, so that it is none of the library's own statuses."""

# Those whose handlers customarily raise: Ctrl-C, a service manager's stop, a timeout.
HELD_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


class Callbacks(threading.local):
    """What the callbacks of one handle share with the call that they serve. Every thread sees its own."""

    def __init__(self) -> None:
        self._exception: BaseException | None = None
        self._interrupt: BaseException | None = None
        self._inside = False
        self._held: list[Callable[[], object]] = []

    def guard(self, function: Callable[..., int | None], *, is_heard_first: bool = False,
              is_last_word: bool = False) -> Callable[..., int]:
        """`function` as it may be handed to C: answers its result, or STOPPED with the exception kept for `call`.

        Signals that were held back are handled before `function`, or after it when what it is told must not be missed.
        After an exception nothing is called any more but a `function` that is to have the last word. No signal is handled
        within that one: whoever waits for what it has to say would wait in vain.
        """

        def callback(*arguments: object) -> int:
            if is_last_word:
                return self._last_word(function, *arguments)
            if self._exception is not None:
                return STOPPED
            try:
                self._inside = True
                if not is_heard_first:
                    self._handle_held_signals()
                answer = function(*arguments) or 0
                self._handle_held_signals()
                self._inside = False
                if self._interrupt is not None:
                    raise self._interrupt
                return answer
            except BaseException as exception:
                self._inside = False
                self._exception = exception
                return STOPPED

        return callback

    def _last_word(self, function: Callable[..., int | None], *arguments: object) -> int:
        """What it raises gives way to an exception that there is."""
        try:
            return function(*arguments) or 0
        except BaseException as exception:
            self._exception = self._exception or exception
            return STOPPED

    def call(self, function: Callable[..., int], *arguments: object) -> int:
        """The status of one call into the library, or the very exception that a callback raised during it.

        A callback may itself call: what becomes of the inner call, its exceptions and signals, is between it and the callback.
        """
        outer = self._exception, self._interrupt, self._inside
        self._exception = self._interrupt = None
        try:
            with self._holding_signals():
                status = function(*arguments)
            if self._exception is not None:
                raise self._exception
            return status
        finally:
            self._exception, self._interrupt, self._inside = outer  # an exception's traceback would keep this frame alive
            del outer

    @contextmanager
    def _holding_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # Python handles signals on its main thread only
            return
        if self._inside:  # the handlers are the outer call's already, and hold while C is at work again
            self._inside = False
            try:
                yield
            finally:
                self._inside = True
                self._handle_held_signals()
            return
        handlers = {number: handler for number in HELD_SIGNALS if callable(handler := signal.getsignal(number))}

        holding = True

        def hold(number: int, frame: FrameType | None) -> None:
            if not self._inside and holding:
                self._held.append(lambda: handlers[number](number, frame))
                return
            try:
                handlers[number](number, frame)
            except Exception:  # a timeout, say, which a callback may well catch
                raise
            except BaseException as exception:
                self._interrupt = exception
                raise

        try:
            for number in handlers:
                signal.signal(number, hold)
            yield
        finally:
            holding = False  # should a handler that is back raise before the others are, they are heard nevertheless
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._handle_held_signals()

    def _handle_held_signals(self) -> None:
        while self._held:
            self._held.pop(0)()
