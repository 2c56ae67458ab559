"""Tells the cli how a target ended, or was lost while alive, and cleans up after an agent that cannot be reached any more."""
import os
import select
import struct
import threading

from line import say
from ptrace import DoesNotStop, Unfit, on_own_thread, wait_until
from stranded import lay_to_rest
from wait_status import wait_status

# How long a process may take to exit after its agent is gone.
EXIT_SECONDS = 1
# How long a cut-off agent may take to notice, and to restore the host's own code (agent/os/linux/descriptors.ts).
RESTORE_SECONDS = 3
LOOK_SECONDS = 2
# How long to wait for the last of a host's output.
DRAIN_SECONDS = 5

CUT_OFF = "the host closed the agent's file descriptors, as closefrom() and close_range() do"

# Work that must finish before we exit.
background = []


def watch(target):
    """Reports the target's end. Safe to call twice."""
    if target.pidfd is not None and not target.watched:
        target.watched = True
        threading.Thread(target=wait_for_end, args=(target,), daemon=True).start()


def detached(target, reason, crash):
    """Frida's session with the target has ended."""
    say({"event": "detached", "pid": target.pid, "reason": reason, "crash": crash.summary if crash else None})
    if reason == "process-terminated":
        carrier = target.carrier  # entered again meanwhile, it has another
        in_background(lambda: say_why_gone(target, carrier))


def clean_up(target, carrier):
    """Cleans up after an agent that cannot be reached any more."""
    try:
        wait_until(lambda: carrier.dismissed, RESTORE_SECONDS)
        on_own_thread(carrier.leave)
        on_own_thread(lambda: lay_to_rest(target.pid, carrier.rest))
    except (Unfit, DoesNotStop, OSError, struct.error):
        pass  # the process has ended


def finish():
    """Waits for background work."""
    for work in background:
        work.join(EXIT_SECONDS + RESTORE_SECONDS + 1)


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    background[:] = [*(one for one in background if one.is_alive()), thread]


def wait_for_end(target):
    """Uses the pidfd: waitpid would also consume a traced child's stops, which are for another thread."""
    while not select.select([target.pidfd], [], [], LOOK_SECONDS)[0]:
        # A cut-off agent restores the host's own code by itself; a call in progress may keep its socket alive.
        carrier = target.carrier
        if not target.leaving and carrier is not None and is_dismissed(carrier):
            in_background(lambda: cut_off(target, carrier))
    status = wait_status(target.pid, target.pidfd)
    try:
        os.waitpid(target.pid, os.WNOHANG)  # a child of ours leaves no zombie
    except ChildProcessError:
        pass  # not our child, or Frida has reaped it
    say_exited(target, status)


def is_dismissed(carrier):
    try:
        return carrier.is_there and carrier.dismissed
    except (OSError, struct.error):
        return False  # it has just executed another program


def say_why_gone(target, carrier):
    """
    Frida reports the same for a process that has exited, has executed another program, or has cut off the agent.
    carrier: the one that the lost agent came through.
    """
    if target.pidfd is None:
        return say_exited(target, None)
    if select.select([target.pidfd], [], [], EXIT_SECONDS)[0]:
        return  # wait_for_end says so
    if carrier is not target.carrier:
        return  # the other program has been entered by now
    if carrier.is_there:
        cut_off(target, carrier)
    else:
        say({"event": "replaced", "pid": target.pid})


def say_exited(target, status):
    """Once, and after all of its output. status: as from wait(); None: unknown."""
    if not target.reported.acquire(blocking=False):
        return
    if target.terminal is not None:
        target.terminal.drained.wait(DRAIN_SECONDS)
    code = sig = None
    if status is not None:
        if os.WIFSIGNALED(status):
            sig = os.WTERMSIG(status)
        else:
            code = os.WEXITSTATUS(status)
    say({"event": "exited", "pid": target.pid, "exitCode": code, "signal": sig})


def cut_off(target, carrier):
    """Cleans up and reports the loss, once."""
    if not target.cut.acquire(blocking=False):
        return
    clean_up(target, carrier)
    say({"event": "detached", "pid": target.pid, "reason": CUT_OFF, "crash": None})
