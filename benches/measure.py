#!/usr/bin/env python3
"""Whole-process times of the release binary, as medians; needs target/cloud, which the demo or tests/run makes.

    cargo build --release && python3 benches/measure.py

Prints the binary's size, `--version`, `status --offline` on 50 profiles, `status` for 50 users when the account on
loopback delays every reply by 100 ms, with the number of calls; and what a rotation takes over the time in which the
account has a call in hand and the pauses between the questions about the new key.
"""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYAGENT = ROOT / "target/release/keyagent"
USERS = 50


def median(arguments, environment, runs):
    subprocess.run([KEYAGENT, *arguments], env=environment, capture_output=True, check=True)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([KEYAGENT, *arguments], env=environment, capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    return f"median {statistics.median(times) * 1000:.1f} ms, min {min(times) * 1000:.1f}, max {max(times) * 1000:.1f}, {runs} runs"


account = subprocess.Popen(
    [ROOT / "target/cloud/bin/python", ROOT / "tests/cloud/account.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
port = int(account.stdout.readline().split()[1])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(name, /, **body):
    return json.load(opener.open(f"http://127.0.0.1:{port}/_account/{name}", json.dumps(body).encode()))


with tempfile.TemporaryDirectory() as home:
    os.mkdir(home + "/.aws")
    with open(home + "/.aws/credentials", "w") as file:
        for number in range(USERS):
            user = control("user", name=f"user{number}")
            file.write(f"[user{number}]\naws_access_key_id = {user['access_key_id']}\n")
            file.write(f"aws_secret_access_key = {user['secret_access_key']}\n")
    os.chmod(home + "/.aws/credentials", 0o600)
    environment = {"HOME": home, "NO_PROXY": "127.0.0.1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    print(f"size: {KEYAGENT.stat().st_size / 1e6:.2f} MB")
    print("--version:", median(["--version"], environment, 50))
    print("status --offline, 50 profiles:", median(["status", "--offline"], environment, 50))
    print("status, 50 users, no delay:", median(["status"], environment, 5))
    control("set", delay=0.1)
    control("clearlog")
    print("status, 50 users, replies take 100 ms:", median(["status"], environment, 5))
    print("calls a key:", len(control("log")) / 6 / USERS)
    control("set", delay=0)

PAUSE = 0.1


def rotation():
    """One rotation of a new user's key: seconds in all, and over the account's own time and the pauses."""
    with tempfile.TemporaryDirectory() as home:
        user = control("user", name=f"rotated{time.time_ns()}")
        os.makedirs(home + "/.config/keyagent")
        with open(home + "/.config/keyagent/config", "w") as file:
            file.write(f"[defaults]\nsecret_store = file\nverify_every = {PAUSE * 1000:.0f}ms\n")
        os.mkdir(home + "/.aws")
        with open(home + "/.aws/credentials", "w") as file:
            file.write(f"[dev]\naws_access_key_id = {user['access_key_id']}\n")
            file.write(f"aws_secret_access_key = {user['secret_access_key']}\n")
        environment = {"HOME": home, "NO_PROXY": "127.0.0.1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        control("clearlog")
        started = time.perf_counter()
        subprocess.run([KEYAGENT, "rotate", "-p", "dev", "--yes"], env=environment, capture_output=True, check=True)
        took = time.perf_counter() - started
    calls = sorted((call["began"], call["ended"]) for call in control("log"))
    in_hand, until = 0, 0
    for began, ended in calls:
        in_hand += max(0, ended - max(began, until))
        until = max(until, ended)
    return took, took - in_hand - 2 * PAUSE, len(calls)


control("set", delay=0.05)
rotations = [rotation() for _ in range(21)]
for name, column in [("rotate, replies take 50 ms", 0), ("of that over AWS's time and the pauses", 1)]:
    times = [one[column] * 1000 for one in rotations]
    print(f"{name}: median {statistics.median(times):.1f} ms, min {min(times):.1f}, max {max(times):.1f}, 21 runs")
print("calls a rotation:", max(one[2] for one in rotations))
account.stdin.close()
