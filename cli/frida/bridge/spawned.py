"""A program we spawn and hold at its entry point until told to let it run. Linux x86_64.

By then its loader has run, and the constructors of the libraries it links; none of its own code has. The thread that started
it traces it, so that it continues if we are killed.
"""
import os
import queue
import signal
import struct
import threading

from image import Image
from ptrace import CONT, EVENT_EXEC, SIGTRAP, DoesNotStop, Tracee, Unfit

AT_NULL, AT_ENTRY = 0, 9
INT3 = b"\xcc"


class NotStarted(Exception):
    """The process no longer exists. The text says why."""


class Spawned:
    """A process stopped at its entry point. `pid`: its id."""

    def __init__(self, argv, env, cwd, terminal):
        """terminal: the descriptor for its standard input, output and error."""
        self._requests = queue.Queue()
        self._answers = queue.Queue()
        threading.Thread(target=self._trace, args=(argv, env, cwd, terminal), daemon=True).start()
        self.pid = self._answer()

    def while_held(self, work):
        """Calls `work` with its stopped thread, on the thread that traces it, and returns the result."""
        self._requests.put(work)
        return self._answer()

    def go(self):
        self._requests.put(None)
        self._answer()

    def _answer(self):
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _trace(self, argv, env, cwd, terminal):
        """Runs on a thread of its own: all of a tracer's calls must come from the same thread."""
        try:
            tracee = started(argv, env, cwd, terminal)
            self._answers.put(tracee.tid)
        except BaseException as error:
            self._answers.put(error)
            return
        for work in iter(self._requests.get, None):
            try:
                self._answers.put(work(tracee))
            except BaseException as error:
                self._answers.put(error)
        try:
            tracee.detach()
            self._answers.put(None)
        except BaseException as error:
            self._answers.put(error)


def started(argv, env, cwd, terminal):
    """The Tracee of a new process, stopped at its entry point."""
    wait, go = os.pipe()
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)  # ours alone: when we end, that is the end of what it waits for
        become(argv, env, cwd, terminal, wait, say)
    os.close(wait)
    os.close(say)
    try:
        tracee = Tracee(pid)
        tracee.call(CONT)
        os.write(go, b"\n")
        while True:
            got, event = tracee.wait()
            if event == EVENT_EXEC:
                break
            tracee.call(CONT, 0, got if event == 0 else 0)
        run_to_entry(tracee)
        return tracee
    except (Unfit, DoesNotStop, OSError) as error:
        why = os.read(said, 4096).decode("utf-8", "replace")
        raise NotStarted(why or how_it_ended(pid) or str(error))
    finally:
        os.close(go)
        os.close(said)


def become(argv, env, cwd, terminal, wait, say):
    """In the child: never returns."""
    try:
        os.setsid()
        for fd in (0, 1, 2):
            os.dup2(terminal, fd)
        for fd in os.listdir("/proc/self/fd"):
            if int(fd) > 2:
                try:
                    os.set_inheritable(int(fd), False)
                except OSError:
                    pass  # the one by which the list was read
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; what is ignored stays so
            signal.signal(ignored, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(cwd)
        if os.read(wait, 1):  # until we are traced; nothing: the tracer has ended
            os.execve(argv[0], argv, env)
    except BaseException as error:
        os.write(say, str(error).encode())
    finally:
        os._exit(127)


def run_to_entry(tracee):
    """Lets the loader run up to a breakpoint at the program's first byte, then removes the breakpoint."""
    image = Image(tracee.tid)
    entry = entry_of(tracee.tid)
    original = image.read(entry, 1)
    image.write(entry, INT3)
    tracee.call(CONT)
    while True:
        got, event = tracee.wait()
        registers = tracee.registers
        if got == SIGTRAP and event == 0 and registers["rip"] == entry + 1:
            break
        tracee.call(CONT, 0, got if event == 0 else 0)
    image.write(entry, original)
    tracee.registers = {**registers, "rip": entry}


def entry_of(pid):
    with open("/proc/%d/auxv" % pid, "rb") as file:
        for key, value in struct.iter_unpack("<QQ", file.read()):
            if key == AT_ENTRY:
                return value
    raise Unfit("the kernel does not say where the program starts")


def how_it_ended(pid):
    """In words; None if it has not ended."""
    try:
        _, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return "it exited before its first instruction: check its output"
    if os.WIFSIGNALED(status):
        return "signal %d killed it before its first instruction" % os.WTERMSIG(status)
    if os.WIFEXITED(status):
        return "it exited before its first instruction, with exit code %d: check its output" % os.WEXITSTATUS(status)
    return None
