#!/usr/bin/env python3
"""Makes a git repository with a long history, the same one each time, to time `keyagent scan --history` on.

    benches/history_repository.py FOLDER [--commits 12000] [--keys 0]

Code-like files in nested folders, small edits, new and moved files, side branches that are merged again, and tags.
`--keys N` spreads N made-up keys over the history, each removed again by a later commit.
The files never hold real keys: both parts are made here from the seed.
"""

import argparse
import random
import subprocess
import sys

SEED = 4
FILES = 1500
WORDS = (
    "account action adapter amount array batch block buffer build cache call channel check client clock close code "
    "column commit config connect content context copy count create cursor data date default delete device digest "
    "domain edge encode entry error event field file filter find flag folder format frame group handle header host "
    "index input item job key label layer length level limit line link list load lock log loop map mask match merge "
    "message method mode model module name node note number object offset option order output owner page parent parse "
    "part path pattern payload place plan point policy pool port prefix process profile queue range rate read record "
    "region release remove report request reset resource result retry role root route row rule run sample scan schema "
    "scope score search section select send server service session set shard shape size slot sort source span stage "
    "start state status step store stream string suffix switch table tag target task template test text thread time "
    "token trace track tree trigger type unit update user value vector version view watch window worker write zone"
).split()
FOLDERS = ["src", "src/api", "src/core", "src/core/io", "lib", "lib/net", "docs", "docs/guide", "tests", "deploy/charts", "web/app", "web/app/views"]
ENDS = ["py", "js", "go", "rs", "md", "yaml", "json", "tf", "sh", "java"]
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class History:
    def __init__(self, stream, commits, keys):
        self.stream, self.commits = stream, commits
        self.random = random.Random(SEED)
        self.files = {}
        self.mark = 0
        self.planted = {commits * (2 * n + 1) // (2 * keys + 1): n for n in range(keys)} if keys else {}

    def line(self):
        pick = self.random.choice
        shape = self.random.randrange(6)
        if shape == 0:
            return f"def {pick(WORDS)}_{pick(WORDS)}({pick(WORDS)}, {pick(WORDS)}):"
        if shape == 1:
            return f"    {pick(WORDS)}.{pick(WORDS)} = {pick(WORDS)}[{self.random.randrange(999)}]  # {pick(WORDS)} {pick(WORDS)}"
        if shape == 2:
            return f'  "{pick(WORDS)}": "{pick(WORDS)}-{self.random.randrange(1 << 20):x}",'
        if shape == 3:
            return f"    return {pick(WORDS)}({pick(WORDS)}.{pick(WORDS)}(), {self.random.random():.4f})"
        if shape == 4:
            return " ".join(pick(WORDS) for _ in range(self.random.randrange(5, 14)))
        return ""

    def new_file(self):
        pick = self.random.choice
        path = f"{pick(FOLDERS)}/{pick(WORDS)}_{pick(WORDS)}.{pick(ENDS)}"
        self.files[path] = [self.line() for _ in range(self.random.randrange(20, 400))]
        return path

    def edit(self, path):
        lines = self.files[path]
        for _ in range(self.random.randrange(1, 5)):
            at = self.random.randrange(len(lines))
            lines[at : at + self.random.randrange(0, 3)] = [self.line() for _ in range(self.random.randrange(1, 4))]

    def write(self, text):
        self.stream.write(text.encode())

    def data(self, text):
        self.write(f"data {len(text.encode())}\n{text}\n")

    def commit(self, branch, parents, message, changes):
        self.mark += 1
        self.write(f"commit {branch}\nmark :{self.mark}\n")
        self.write(f"committer A <a@example.com> {1_500_000_000 + self.mark * 3600} +0000\n")
        self.data(message)
        if parents:
            self.write(f"from :{parents[0]}\n")
            for other in parents[1:]:
                self.write(f"merge :{other}\n")
        for path in changes:
            if path in self.files:
                self.write(f"M 100644 inline {path}\n")
                self.data("\n".join(self.files[path]) + "\n")
            else:
                self.write(f"D {path}\n")
        return self.mark

    def message(self):
        pick = self.random.choice
        return f"{pick(WORDS)} the {pick(WORDS)} of {pick(WORDS)}\n\n" + " ".join(pick(WORDS) for _ in range(20)) + "\n"

    def key(self):
        pick = self.random.choice
        return [
            "aws_access_key_id = AK" + "IA" + "Y" + "".join(pick(BASE32) for _ in range(15)),
            "aws_secret_access_key = " + "".join(pick(BASE64) for _ in range(40)),
        ]

    def change(self):
        pick = self.random.choice
        paths = sorted(self.files)
        changes = set()
        for _ in range(self.random.choice([1, 1, 2, 2, 3, 5])):
            path = pick(paths)
            self.edit(path)
            changes.add(path)
        if len(self.files) < FILES or self.random.random() < 0.05:
            changes.add(self.new_file())
        if self.random.random() < 0.03:
            old = pick([path for path in paths if path not in changes])
            new = f"{pick(FOLDERS)}/moved_{pick(WORDS)}_{pick(WORDS)}.{pick(ENDS)}"
            self.files[new] = self.files.pop(old)
            changes |= {old, new}
        return sorted(changes)

    def run(self):
        head = self.commit("refs/heads/main", [], "begin\n", sorted({self.new_file() for _ in range(60)}))
        leaking = None
        while self.mark < self.commits:
            if leaking:
                del self.files[leaking]
                head = self.commit("refs/heads/main", [head], "remove the key\n", [leaking])
                leaking = None
            elif any(at <= self.mark for at in self.planted):
                n = self.planted.pop(min(self.planted))
                leaking = f"deploy/key_{n}.ini"
                self.files[leaking] = self.key()
                head = self.commit("refs/heads/main", [head], self.message(), [leaking])
            elif self.mark % 50 == 49:
                side = self.commit("refs/heads/side", [head], self.message(), self.change())
                changed = self.change()
                side = self.commit("refs/heads/side", [side], self.message(), changed)
                # fast-import begins a merge with the first parent's tree: give it the side's files again.
                head = self.commit("refs/heads/main", [head, side], "merge side\n", sorted(self.files))
            else:
                head = self.commit("refs/heads/main", [head], self.message(), self.change())
            if self.mark % 1000 == 0:
                self.write(f"tag v{self.mark // 1000}\nfrom :{head}\ntagger A <a@example.com> {1_500_000_000 + self.mark * 3600} +0000\n")
                self.data(f"release {self.mark // 1000}\n")
        self.write("done\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--commits", type=int, default=12_000)
    arguments.add_argument("--keys", type=int, default=0)
    args = arguments.parse_args()
    git = ["git", "-C", args.folder]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", args.folder], check=True)
    importer = subprocess.Popen([*git, "fast-import", "--quiet", "--done"], stdin=subprocess.PIPE)
    History(importer.stdin, args.commits, args.keys).run()
    importer.stdin.close()
    if importer.wait() != 0:
        sys.exit("git fast-import failed")
    # Anew (-f), as a server packs what is cloned: fast-import finds few deltas.
    subprocess.run([*git, "repack", "-adfq"], check=True)
    subprocess.run([*git, "reset", "--quiet", "--hard"], check=True)


main()
