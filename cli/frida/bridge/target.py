"""A process that the cli has named or had started, and what we have of it."""
import os
import threading


class Target:
    def __init__(self, pid, terminal=None, spawned=None):
        """terminal, spawned: of one that was started from here."""
        self.pid = pid
        self.terminal = terminal
        self.spawned = spawned
        self.carrier = None
        # Frida's.
        self.session = None
        self.script = None
        # Whether the agent in it goes because we have told it to.
        self.leaving = False
        # ending.py's: whether its end is waited for; held by whoever cleans up after it, and by whoever has told of its end.
        self.watched = False
        self.cut = threading.Lock()
        self.reported = threading.Lock()
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:
            self.pidfd = None  # an older kernel
