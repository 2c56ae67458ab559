"""Frida in this process: how it is configured and restrained, and how it is sent to a carrier."""
import threading
from contextlib import contextmanager

from callers import check_callers, from_target
from first_stop import choose_first_stop, stops_at
from footprint import give_back
from inner_names import find_threads_by_own_name
from older_kernel import pretend_older_kernel
from reads import spare_shared_memory
from way_home import WayHome

# Frida must not change anything in the host by itself. By default it hooks the host's signal handlers, exit() and the loader's
# notifications: threads crashed in those hooks when it left, and forked children hung in them
# (docs/decisions/0015-frida-without-hooks.md).
WITHOUT_HOOKS = {"exceptor": "off", "unwind_broker": False, "exit_monitor": False, "thread_suspend_monitor": False}

# How long Frida may take to shut down. This and everything before it took 1.3 s at most, at load 30.
CLOSE_SECONDS = 3


class Binding:
    """One per process."""

    def __init__(self, frida):
        """frida: the package, in which nothing has been called yet."""
        self._frida = frida
        self._file = frida._frida.__file__
        # Before Frida first asks: it remembers the answer.
        pretend_older_kernel(self._file)
        spare_shared_memory(self._file)
        check_callers(self._file)
        choose_first_stop(self._file)
        find_threads_by_own_name(self._file)
        self._way_home = WayHome(self._file)
        self._device = frida.get_local_device()

    @property
    def version(self):
        return self._frida.__version__

    @contextmanager
    def at(self, carrier):
        """For while Frida calls functions in the carrier."""
        with self._way_home.to(carrier.pad), stops_at(carrier.tid, carrier.home), carrier.forks_waiting():
            yield

    def enter(self, pid, carrier):
        """Injects Frida's agent through the carrier. Returns Frida's session with the process."""
        offsets = [] if carrier.unused_in_loader is None else [carrier.unused_in_loader]
        with from_target(pid), self.at(carrier):
            return self._device.attach(carrier.tid, linker_notifier_offsets=offsets, **WITHOUT_HOOKS)

    def give_back(self):
        """Returns memory that Frida no longer needs to the system, in the background."""
        threading.Thread(target=give_back, args=(self._file,), daemon=True).start()

    def close(self):
        """Shuts down Frida in this process. It waits for its agents to leave, and now and then one never does."""
        closing = threading.Thread(target=self._frida.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
