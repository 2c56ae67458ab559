"""The link to the cli: JSON, one object per line. A separate thread writes the messages, so that nobody waits for the cli."""
import json
import os
import queue
import threading

# Messages for the cli. Bounded: a host that prints without end blocks on its terminal instead of filling our memory.
outgoing = queue.Queue(4096)


def say(message):
    """Sends any message of schemas/bridge.ts, from any thread."""
    outgoing.put(message)


class Line:
    """Takes over standard input and output. One per process."""

    def __init__(self):
        # On descriptors of its own: a stray print, or a host that inherits 0 and 1, must not touch them.
        self._requests, self._answers = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._writer = threading.Thread(target=self._write)
        self._writer.start()

    def requests(self):
        """Yields each request until the cli is gone."""
        with os.fdopen(self._requests, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # it was killed while it wrote
                yield json.loads(line)

    def close(self, seconds):
        """Sends what is still queued, for which the cli has this long."""
        say(None)
        self._writer.join(seconds)

    def _write(self):
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
                    view = view[os.write(self._answers, view) :]
            except OSError:
                pass  # the cli is gone: the end of the requests says so too, and then the targets are let go in good order
            if last:
                return
