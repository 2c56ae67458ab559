"""Frida on its Python binding, spoken to over newline-delimited JSON on stdio. The contract is schemas/bridge.ts.

Runs as `python3 -I -B [-S] bridge.py [--net PID] [folder with the frida package]`: -I and sys.path instead of PYTHONPATH, which
spawned hosts would inherit. Needs Python 3.9, frida and the standard library.

--net: in the network namespace of that process, whose agent looks there for Frida's socket.
"""
import base64
import ctypes
import fcntl
import json
import os
import pty
import queue
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out
from callers import check_callers, from_target  # noqa: E402
from carrier import Carrier, carrier_in  # noqa: E402
from first_stop import choose_first_stop, stops_at  # noqa: E402
from footprint import give_back, import_frida  # noqa: E402
from inner_names import find_threads_by_own_name  # noqa: E402
from older_kernel import pretend_older_kernel  # noqa: E402
from ptrace import DoesNotStop, Unfit, on_own_thread, wait_until  # noqa: E402
from reads import spare_shared_memory  # noqa: E402
from spawned import Spawned  # noqa: E402
from stacks import TooSlow, addresses_on_stacks  # noqa: E402
from stranded import lay_to_rest  # noqa: E402
from way_home import WayHome  # noqa: E402

PROTOCOL = 3

arguments = sys.argv[1:]
no_net = None
if arguments[:1] == ["--net"]:
    # Now, before there are other threads: each has a namespace of its own.
    with open("/proc/%s/ns/net" % arguments[1]) as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
            no_net = os.strerror(ctypes.get_errno())
    arguments = arguments[2:]

# The protocol's own descriptors: a stray print, or a host that inherits 0 and 1, must not touch them.
requests_fd = os.dup(0)
answers_fd = os.dup(1)
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
os.dup2(2, 1)

# A handler, not SIG_IGN: ignored signals are inherited by spawned hosts.
signal.signal(signal.SIGINT, lambda *_: None)

# Messages on their way to the cli. Bounded: a host that prints without end waits at its terminal instead of filling us.
outgoing = queue.Queue(4096)


def say(message):
    outgoing.put(message)


def write_outgoing():
    while True:
        batch = [outgoing.get()]
        while len(batch) < 256:
            try:
                batch.append(outgoing.get_nowait())
            except queue.Empty:
                break
        last = None in batch
        text = "".join(json.dumps(m, separators=(",", ":")) + "\n" for m in batch if m is not None)
        view = memoryview(text.encode("ascii"))
        try:
            while view:
                view = view[os.write(answers_fd, view) :]
        except OSError:
            pass  # the cli is gone: the end of the requests says so too, and then the targets are let go in good order
        if last:
            return


writer = threading.Thread(target=write_outgoing)
writer.start()


def fatal(text):
    say({"event": "fatal", "message": text})
    say(None)
    writer.join(5)
    leave(3)


def make_temp():
    """Frida unpacks 10 MB into the temporary folder and leaves them there: it gets one that goes when we go."""
    with open("/proc/self/stat", "rb") as stat:
        start = stat.read().rsplit(b")", 1)[1].split()[19].decode()
    # Named as the cli's own folders, so that it is swept should we be killed.
    path = tempfile.mkdtemp(prefix="hotpatch-%d-%s-" % (os.getpid(), start))
    os.environ["TMPDIR"] = path
    return path


def end_helpers():
    """Frida's helper, unpacked into our folder, would wait a minute for others to use it."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink("/proc/%s/exe" % entry).startswith(temp + "/"):
                os.kill(int(entry), signal.SIGTERM)
        except OSError:
            pass  # not ours to look at, or just gone


def leave(code):
    if temp is not None:
        end_helpers()
        shutil.rmtree(temp, ignore_errors=True)
    os._exit(code)


temp = None

if sys.version_info < (3, 9):
    fatal("Python 3.9 or newer is needed, this is " + sys.version.split()[0])
try:
    temp = make_temp()
except OSError as error:
    fatal("no temporary folder for Frida: %s" % error)
if no_net is not None:
    fatal("the network namespace of the process cannot be entered: %s" % no_net)
if arguments:
    sys.path.insert(0, arguments[0])
try:
    frida = import_frida()
except Exception as error:
    fatal("%s cannot import frida: %s" % (sys.executable, error))

module = frida._frida.__file__
# Before Frida asks for the first time: it remembers the answer.
pretend_older_kernel(module)
spare_shared_memory(module)
check_callers(module)
choose_first_stop(module)
find_threads_by_own_name(module)
way_home = WayHome(module)
device = frida.get_local_device()

# How long a process may take from the end of its agent to its own.
EXIT_SECONDS = 1
# How long an agent that has been cut off may take to notice it, and to put back the host's own code (agent/os/linux/descriptors.ts).
RESTORE_SECONDS = 3
LOOK_SECONDS = 2
# Linux 3.4. linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
# Linux 6.15: the exit status of any process whose pidfd was open when it ended. linux/pidfd.h
PIDFD_GET_INFO = 0xC040FF0B
PIDFD_INFO_EXIT = 8


class Target:
    def __init__(self, pid, terminal=None):
        self.pid = pid
        self.session = None
        self.watched = False
        self.script = None
        self.carrier = None
        self.spawned = None
        self.leaving = False
        self.cut = threading.Lock()
        self.terminal = terminal
        self.drained = threading.Event()
        self.reported = threading.Lock()
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:
            self.pidfd = None  # an older kernel

    def status(self):
        """The wait status of an ended process that is not our child, or None where the kernel does not tell."""
        # A zombie tells in its stat, a reaped process through its pidfd: it may be reaped between the two looks.
        for _ in range(20):
            for tell in (self.status_of_zombie, self.status_of_reaped):
                status = tell()
                if status is not None:
                    return status
            time.sleep(0.005)
        return None

    def status_of_reaped(self):
        info = bytearray(struct.pack("<Q", PIDFD_INFO_EXIT) + bytes(56))
        try:
            fcntl.ioctl(self.pidfd, PIDFD_GET_INFO, info, True)
        except OSError:
            return None  # an older kernel
        return struct.unpack_from("<i", info, 60)[0] if struct.unpack_from("<Q", info)[0] & PIDFD_INFO_EXIT else None

    def status_of_zombie(self):
        try:
            with open("/proc/%d/stat" % self.pid, "rb") as stat:
                fields = stat.read().rsplit(b")", 1)[1].split()
        except OSError:
            return None  # reaped already
        return int(fields[49]) if fields[0] in (b"Z", b"X") else None  # field 52, exit_code

    def exited(self, status):
        if not self.reported.acquire(blocking=False):
            return
        if self.terminal is not None:
            self.drained.wait(5)
        code = sig = None
        if status is not None:
            if os.WIFSIGNALED(status):
                sig = os.WTERMSIG(status)
            else:
                code = os.WEXITSTATUS(status)
        say({"event": "exited", "pid": self.pid, "exitCode": code, "signal": sig})


targets = {}


def terminal_size(fd, cols, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("<HHHH", rows, cols, 0, 0))


def read_terminal(target):
    while True:
        try:
            data = os.read(target.terminal, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            data = b""
        if not data:
            target.drained.set()
            return
        say({"event": "output", "pid": target.pid, "stream": "tty", "base64": base64.b64encode(data).decode()})


def wait_for_end(target):
    """Through the pidfd: waitpid would also take the stops of a traced child, which are another thread's to see."""
    while not select.select([target.pidfd], [], [], LOOK_SECONDS)[0]:
        # An agent that has been cut off puts back the host's own code by itself; its socket may live on in a call.
        if not target.leaving and target.carrier is not None and target.carrier.is_there and target.carrier.dismissed:
            in_background(lambda: cut_off(target))
    status = target.status()
    try:
        os.waitpid(target.pid, os.WNOHANG)  # a child of ours leaves no zombie
    except ChildProcessError:
        pass  # not our child, or Frida has reaped it
    target.exited(status)


def op_spawn(m):
    # What a launcher leaves behind becomes our child: the cli finds a host among it (cli/session/launcher.ts).
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, theirs = pty.openpty()
    try:
        terminal_size(theirs, m["cols"], m["rows"])
        mode = termios.tcgetattr(theirs)
        mode[1] &= ~termios.ONLCR  # lines end in \n, as programs write them
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
        spawned = Spawned(m["argv"], m["env"], m["cwd"], theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    target = targets[spawned.pid] = Target(spawned.pid, ours)
    target.spawned = spawned
    threading.Thread(target=read_terminal, args=(target,), daemon=True).start()
    try:
        enter(target, spawned.while_held(lambda tracee: Carrier(spawned.pid, tracee)))
    except BaseException:
        os.kill(spawned.pid, signal.SIGKILL)  # it stands at its entry point, and nobody waits for it
        raise
    return spawned.pid


# Frida changes nothing of the host by itself. By default it takes over the host's signal handlers, exit() and the loader's
# notices: threads died in those when it left, and forked children hung in them (docs/decisions/0015-frida-without-hooks.md).
WITHOUT_HOOKS = {"exceptor": "off", "unwind_broker": False, "exit_monitor": False, "thread_suspend_monitor": False}


CUT_OFF = "the host has closed the file descriptors of the agent, as closefrom() and close_range() do"


@contextmanager
def frida_at(carrier):
    """Meanwhile Frida calls functions in the carrier."""
    with way_home.to(carrier.pad), stops_at(carrier.tid, carrier.home), carrier.forks_waiting():
        yield


def enter(target, carrier):
    """Frida comes by the carrier."""
    target.carrier = carrier
    offsets = [] if carrier.unused_in_loader is None else [carrier.unused_in_loader]
    with from_target(target.pid), frida_at(carrier):
        session = target.session = device.attach(carrier.tid, linker_notifier_offsets=offsets, **WITHOUT_HOOKS)

    def detached(reason, crash):
        say({"event": "detached", "pid": target.pid, "reason": reason, "crash": crash.summary if crash else None})
        if reason == "process-terminated":
            in_background(lambda: say_why_gone(target))

    session.on("detached", detached)
    if target.pidfd is not None and not target.watched:
        target.watched = True
        threading.Thread(target=wait_for_end, args=(target,), daemon=True).start()


# What must be done before we go.
background = []


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    background[:] = [*(one for one in background if one.is_alive()), thread]


def say_why_gone(target):
    """Frida says the same of a process that has ended, has become another program, or has cut the agent off."""
    if target.pidfd is None:
        return target.exited(None)
    if select.select([target.pidfd], [], [], EXIT_SECONDS)[0]:
        return  # wait_for_end says so
    if target.carrier.is_there:
        cut_off(target)
    else:
        say({"event": "replaced", "pid": target.pid})


def cut_off(target):
    if not target.cut.acquire(blocking=False):
        return
    clean_up(target)
    say({"event": "detached", "pid": target.pid, "reason": CUT_OFF, "crash": None})


def clean_up(target):
    """After an agent that cannot be reached any more."""
    carrier = target.carrier
    try:
        wait_until(lambda: carrier.dismissed, RESTORE_SECONDS)
        on_own_thread(carrier.leave)
        on_own_thread(lambda: lay_to_rest(target.pid, carrier.rest))
    except (Unfit, DoesNotStop, OSError, struct.error):
        pass  # the process has ended


def op_attach(m):
    known = targets.get(m["pid"])  # it has become another program since: its terminal goes on
    target = targets[m["pid"]] = known or Target(m["pid"])
    try:
        enter(target, carrier_in(target.pid))
    except BaseException:
        if target.carrier is not None:
            clean_up(target)
        if known is None:
            del targets[m["pid"]]
        raise


def op_load(m):
    target = targets[m["pid"]]
    if target.script is not None and not target.script.is_destroyed:
        target.script.unload()  # a target has one agent
    script = target.script = target.session.create_script(m["source"], name="hotpatch")
    script.on("message", lambda message, data: say({"event": "message", "pid": target.pid, "message": message}))
    with target.carrier.forks_waiting():
        script.load()
    target.carrier.stay()
    threading.Thread(target=give_back, args=(module,), daemon=True).start()
    return {"thread": target.carrier.tid, "order": "0x%x" % target.carrier.order}


def op_call(m):
    target = targets[m["pid"]]
    with target.carrier.forks_waiting():
        # Not exports_sync, which spells method names its own way.
        return target.script._rpc_request(["call", m["method"], [m["argument"]]])


def op_stacks(m):
    ranges = [(one["start"], one["end"]) for one in m["ranges"]]
    try:
        return on_own_thread(lambda: addresses_on_stacks(m["pid"], ranges))
    except (TooSlow, DoesNotStop, OSError):
        return None


def op_resume(m):
    targets[m["pid"]].spawned.go()


def op_detach(m):
    target = targets[m["pid"]]
    target.leaving = True
    if target.script is not None and not target.script.is_destroyed:
        with target.carrier.forks_waiting():
            target.script.unload()
    if target.session is not None and not target.session.is_detached:
        with frida_at(target.carrier):
            on_own_thread(lambda: target.carrier.leave(target.session.detach))


def op_input(m):
    os.write(targets[m["pid"]].terminal, base64.b64decode(m["base64"]))


def op_resize(m):
    terminal_size(targets[m["pid"]].terminal, m["cols"], m["rows"])


OPERATIONS = {name[3:]: f for name, f in list(globals().items()) if name.startswith("op_")}


def serve(m):
    try:
        say({"id": m["id"], "ok": OPERATIONS[m["op"]](m)})
    except BaseException as error:
        say({"id": m["id"], "error": {"type": type(error).__name__, "message": str(error)}})


def main():
    pool = ThreadPoolExecutor(16)
    about = {"protocol": PROTOCOL, "frida": frida.__version__, "python": sys.version.split()[0], "pid": os.getpid()}
    say({"event": "ready", **about})
    with os.fdopen(requests_fd, "rb") as requests:
        for line in requests:
            if not line.endswith(b"\n"):
                break  # the cli was killed while it wrote
            pool.submit(serve, json.loads(line))
    # The cli is gone. The targets go on, by their own code: the agent restores when its script is unloaded.
    for pid in list(targets):
        try:
            op_detach({"pid": pid})
        except Exception:
            pass  # ended meanwhile
    for work in background:
        work.join(EXIT_SECONDS + RESTORE_SECONDS + 1)
    say(None)
    writer.join(2)
    frida.shutdown()
    leave(0)


main()
