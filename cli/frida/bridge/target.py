"""A process that the cli has attached to or spawned, and our state for it."""
import os
import threading


class Target:
    def __init__(self, pid, terminal=None, spawned=None):
        """terminal, spawned: set if we spawned it."""
        self.pid = pid
        self.terminal = terminal
        self.spawned = spawned
        self.carrier = None
        # Frida's session and script.
        self.session = None
        self.script = None
        # Whether the agent is leaving because we told it to.
        self.leaving = False
        # For ending.py: whether its end is watched for; locks taken by whoever cleans up after it, and reports its end.
        self.watched = False
        self.cut = threading.Lock()
        self.reported = threading.Lock()
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:
            self.pidfd = None  # an older kernel
