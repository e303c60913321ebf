"""Runs a program on a terminal of 80 columns and answers its questions.

    terminal.py '[["go on?", "y"]]' PROGRAM ARGUMENT…

Waits for each text in turn, then types the answer. Prints what the terminal showed, and ends with the program's code.
"""
import json
import os
import pty
import select
import struct
import sys
import termios
import time
from fcntl import ioctl

dialogue = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
shown, seen_to, deadline = b"", 0, time.time() + 30
while time.time() < deadline:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    if dialogue and dialogue[0][0].encode() in shown[seen_to:]:
        seen_to = len(shown)
        # What is typed before the program has turned the echo off would be seen.
        time.sleep(0.1)
        os.write(terminal, dialogue.pop(0)[1].encode() + b"\n")
sys.stdout.write(shown.decode().replace("\r\n", "\n"))
if dialogue:
    sys.exit(f"never asked: {dialogue[0][0]}")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
