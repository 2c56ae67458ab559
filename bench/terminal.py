"""Runs a program in its own terminal: `terminal.py COLUMNS ROWS program args...`. Its keyboard is our stdin, its screen our
stdout. Says "pid N" on stderr, and ends with the program."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios

columns, rows, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(program[0], program)
print("pid", pid, file=sys.stderr, flush=True)
open_ends = [terminal, 0]
while terminal in open_ends:
    for end in select.select(open_ends, [], [])[0]:
        try:
            data = os.read(end, 65536)
        except OSError:  # EIO: the program has ended
            data = b""
        if not data:
            open_ends.remove(end)
        else:
            os.write(1 if end == terminal else terminal, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
