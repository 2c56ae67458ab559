"""The terminal of a host that we spawn: we hold the side a terminal emulator usually holds."""
import fcntl
import os
import pty
import struct
import termios
import threading
from contextlib import contextmanager


class Terminal:
    def __init__(self):
        self._ours, self._theirs = pty.openpty()
        # Set once all output has been read.
        self.drained = threading.Event()

    @contextmanager
    def lent(self, cols, rows):
        """The descriptor of the host's side, while the host is being started. If that fails, the terminal is closed."""
        try:
            set_size(self._theirs, cols, rows)
            mode = termios.tcgetattr(self._theirs)
            mode[1] &= ~termios.ONLCR  # lines end in \n, as programs write them
            termios.tcsetattr(self._theirs, termios.TCSANOW, mode)
            yield self._theirs
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(self._theirs)

    def hear(self, said):
        """From now on passes all output to `said`, in pieces, on a thread of its own."""
        threading.Thread(target=self._read, args=(said,), daemon=True).start()

    def _read(self, said):
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # EIO: nobody has the other side open any more
                data = b""
            if not data:
                self.drained.set()
                return
            said(data)

    def type(self, data):
        """Sends bytes as the keyboard would. Blocks while the host does not read."""
        os.write(self._ours, data)

    def resize(self, cols, rows):
        """In characters."""
        set_size(self._ours, cols, rows)


def set_size(fd, cols, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("<HHHH", rows, cols, 0, 0))
