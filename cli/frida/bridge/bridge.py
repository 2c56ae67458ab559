"""The bridge process: Frida's Python binding behind standard input and output. The contract is schemas/bridge.ts.

Runs as `python3 -I -B [-S] bridge.py [--net PID] [folder with the frida package]`: -I and sys.path instead of PYTHONPATH, which
spawned hosts would inherit. Needs Python 3.9, frida and the standard library.

--net: run in the network namespace of that process, where its agent looks for Frida's socket.
"""
import ctypes
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out
import ending  # noqa: E402
from binding import Binding  # noqa: E402
from footprint import import_frida  # noqa: E402
from line import Line, say  # noqa: E402
from operations import Operations  # noqa: E402
from temp_folder import make_temp, remove_temp  # noqa: E402

PROTOCOL = 3


class CannotStart(Exception):
    """The text says why."""


def enter_network(pid):
    """Moves the calling thread, and only it, into a process's network namespace. Returns None, or why it failed."""
    with open("/proc/%s/ns/net" % pid) as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
            return os.strerror(ctypes.get_errno())
    return None


def temp_for_frida():
    try:
        return make_temp()
    except OSError as error:
        raise CannotStart("no temporary folder for Frida: %s" % error)


def frida_from(packages):
    """packages: folders to look in first."""
    sys.path[:0] = packages
    try:
        return import_frida()
    except Exception as error:
        raise CannotStart("%s cannot import frida: %s" % (sys.executable, error))


def leave(temp, code):
    if temp is not None:
        remove_temp(temp)
    os._exit(code)


def main(arguments):
    no_net = None
    if arguments[:1] == ["--net"]:
        no_net = enter_network(arguments[1])  # now, before there are other threads
        arguments = arguments[2:]
    # A handler, not SIG_IGN: ignored signals are inherited by spawned hosts.
    signal.signal(signal.SIGINT, lambda *_: None)
    line = Line()
    temp = None
    try:
        if sys.version_info < (3, 9):
            raise CannotStart("Python 3.9 or newer is needed; this is " + sys.version.split()[0])
        temp = temp_for_frida()
        if no_net is not None:
            raise CannotStart("the network namespace of the process cannot be entered: %s" % no_net)
        frida = frida_from(arguments[:1])
    except CannotStart as error:
        say({"event": "fatal", "message": str(error)})
        line.close(5)
        leave(temp, 3)
    binding = Binding(frida)
    operations = Operations(binding)
    pool = ThreadPoolExecutor(16)
    about = {"protocol": PROTOCOL, "frida": binding.version, "python": sys.version.split()[0], "pid": os.getpid()}
    say({"event": "ready", **about})
    for request in line.requests():
        pool.submit(operations.answer, request)
    # The cli is gone.
    operations.let_go()
    ending.finish()
    line.close(2)
    binding.close()
    leave(temp, 0)


main(sys.argv[1:])
