"""What the cli can request: one method per request of schemas/bridge.ts. They are called from several threads at once."""
import base64
import ctypes
import os
import signal

import ending
from carrier import Carrier, carrier_in
from line import say
from ptrace import DoesNotStop, on_own_thread
from spawned import Spawned
from stacks import TooSlow, addresses_on_stacks
from target import Target
from terminal import Terminal

# Since Linux 3.4. linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


class Operations:
    """`m` is the request: its arguments by name. What a method raises becomes the answer's error."""

    def __init__(self, binding):
        self._binding = binding
        self._targets = {}
        self._by_name = {name[3:]: getattr(self, name) for name in dir(self) if name.startswith("op_")}

    def answer(self, m):
        """Carries out a request and sends the answer."""
        try:
            say({"id": m["id"], "ok": self._by_name[m["op"]](m)})
        except BaseException as error:
            say({"id": m["id"], "error": {"type": type(error).__name__, "message": str(error)}})

    def let_go(self):
        """Detaches from all targets. They keep running their own code: the agent restores it when its script is unloaded."""
        for pid in list(self._targets):
            try:
                self.op_detach({"pid": pid})
            except Exception:
                pass  # ended meanwhile

    def op_spawn(self, m):
        # A launcher's orphans become our children: the cli finds a host among them (cli/session/host-search.ts).
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        terminal = Terminal()
        with terminal.lent(m["cols"], m["rows"]) as theirs:
            spawned = Spawned(m["argv"], m["env"], m["cwd"], theirs)
        pid = spawned.pid
        target = self._targets[pid] = Target(pid, terminal, spawned)
        terminal.hear(
            lambda data: say({"event": "output", "pid": pid, "stream": "tty", "base64": base64.b64encode(data).decode()})
        )
        try:
            self._enter(target, spawned.while_held(lambda tracee: Carrier(pid, tracee)))
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # it stands at its entry point, and nobody waits for it
            raise
        return pid

    def op_attach(self, m):
        known = self._targets.get(m["pid"])  # it has become another program since: its terminal goes on
        target = self._targets[m["pid"]] = known or Target(m["pid"])
        try:
            self._enter(target, carrier_in(target.pid))
        except BaseException:
            if target.carrier is not None:
                ending.clean_up(target, target.carrier)
            if known is None:
                del self._targets[m["pid"]]
            raise

    def _enter(self, target, carrier):
        target.carrier = carrier
        target.session = self._binding.enter(target.pid, carrier)
        target.session.on("detached", lambda reason, crash: ending.detached(target, reason, crash))
        ending.watch(target)

    def op_load(self, m):
        target = self._targets[m["pid"]]
        if target.script is not None and not target.script.is_destroyed:
            target.leaving = True  # an agent that goes dismisses the carrier: here not because it has been cut off
            target.script.unload()  # a target has one agent
        script = target.script = target.session.create_script(m["source"], name="hotpatch")
        script.on("message", lambda message, data: say({"event": "message", "pid": target.pid, "message": message}))
        with target.carrier.forks_waiting():
            script.load()
        target.carrier.stay()
        target.leaving = False
        self._binding.give_back()
        return {"thread": target.carrier.tid, "order": "0x%x" % target.carrier.order}

    def op_call(self, m):
        target = self._targets[m["pid"]]
        with target.carrier.forks_waiting():
            # Not exports_sync, which changes the spelling of method names.
            return target.script._rpc_request(["call", m["method"], [m["argument"]]])

    def op_stacks(self, m):
        ranges = [(one["start"], one["end"]) for one in m["ranges"]]
        try:
            return on_own_thread(lambda: addresses_on_stacks(m["pid"], ranges))
        except (TooSlow, DoesNotStop, OSError):
            return None

    def op_resume(self, m):
        self._targets[m["pid"]].spawned.go()

    def op_detach(self, m):
        target = self._targets[m["pid"]]
        target.leaving = True
        if target.script is not None and not target.script.is_destroyed:
            with target.carrier.forks_waiting():
                target.script.unload()
        if target.session is not None and not target.session.is_detached:
            with self._binding.at(target.carrier):
                on_own_thread(lambda: target.carrier.leave(target.session.detach))

    def op_input(self, m):
        self._targets[m["pid"]].terminal.type(base64.b64decode(m["base64"]))

    def op_resize(self, m):
        self._targets[m["pid"]].terminal.resize(m["cols"], m["rows"])
