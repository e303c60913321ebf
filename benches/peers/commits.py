"""Real commits: which does each scanner's hook block, and which does it let through?

Each scenario makes a repository in a state of its own and commits. `holds` says whether the commit holds a key.
"""
import base64
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/corpus"))
import random  # noqa: E402

from generate import Key  # noqa: E402

RNG = random.Random()


def text_of(key):
    return f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"


class Repository:
    def __init__(self, folder, hook):
        self.path = pathlib.Path(folder) / "repository"
        self.path.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "GIT_CONFIG_GLOBAL": folder + "/gitconfig",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        (pathlib.Path(folder) / "gitconfig").write_text("[user]\nname = A\nemail = a@example.com\n[init]\ndefaultBranch = main\n")
        self.git("init", "-q")
        self.write("README", "hello\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "begin")
        self.hook = hook

    def git(self, *words, check=True, **options):
        return subprocess.run(["git", *words], cwd=self.path, env=self.environment, check=check, capture_output=True, timeout=120, **options)

    def write(self, name, content):
        path = os.path.join(os.fsencode(self.path), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def base(self, files):
        """Commits without a hook."""
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "-A")
        self.git("commit", "-qm", "base", "--no-verify")

    def arm(self):
        path = self.path / ".git/hooks/pre-commit"
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + self.hook)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def commit(self, *words):
        """Whether the commit was made."""
        self.arm()
        before = self.git("rev-parse", "HEAD", check=False).stdout
        self.git("commit", "-m", "x", *words, check=False)
        return self.git("rev-parse", "HEAD", check=False).stdout != before

    def add(self, files):
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "-A")
        return self.commit()


def ini(r):
    return r.add({"config.ini": text_of(Key(RNG))})


def only_a_secret(r):
    return r.add({"deploy.sh": f"export AWS_SECRET_ACCESS_KEY={Key(RNG).secret}\n"})


def only_an_id(r):
    return r.add({"deploy.sh": f"export AWS_ACCESS_KEY_ID={Key(RNG).id}\n"})


def old_id(r):
    key = Key(RNG)
    return r.add({"a.ini": text_of(key).replace(key.id, "AKIAI" + key.id[5:])})


def two_files(r):
    key = Key(RNG)
    return r.add({"id.txt": "see the vault\n", "value.txt": key.secret + "\n", "readme.txt": f"the key is {key.id}\n"})


def commit_all(r):
    r.base({"a.ini": "x\n"})
    r.write("a.ini", text_of(Key(RNG)))
    return r.commit("-a")


def commit_path(r):
    r.base({"a.ini": "x\n"})
    r.write("a.ini", text_of(Key(RNG)))
    return r.commit("a.ini")


def first_commit(r):
    r.git("checkout", "-q", "--orphan", "fresh")
    r.git("rm", "-rfq", "--cached", ".")
    return r.add({"a.ini": text_of(Key(RNG))})


def work_tree_clean(r):
    r.write("a.ini", text_of(Key(RNG)))
    r.git("add", "-A")
    r.write("a.ini", "clean\n")
    return r.commit()


def file_gone(r):
    r.write("a.ini", text_of(Key(RNG)))
    r.git("add", "-A")
    os.remove(r.path / "a.ini")
    return r.commit()


def attribute(value, encoding="utf-8"):
    def scenario(r):
        r.base({".gitattributes": f"*.ini {value}\n"})
        return r.add({"a.ini": text_of(Key(RNG)).encode(encoding)})

    scenario.__name__ = "attribute_" + "".join(c if c.isalnum() else "_" for c in value)
    return scenario


def setting(name, value):
    def scenario(r):
        r.base({".gitattributes": "*.ini diff=quiet\n"})
        r.git("config", name, value)
        return r.add({"a.ini": text_of(Key(RNG))})

    scenario.__name__ = "setting_" + name.replace(".", "_")
    return scenario


def named(label, name):
    def scenario(r):
        return r.add({name: text_of(Key(RNG))})

    scenario.__name__ = "named_" + label
    return scenario


def holding(label, name, make):
    def scenario(r):
        return r.add({name: make(text_of(Key(RNG)))})

    scenario.__name__ = "content_" + label
    return scenario


def ignored(label, files):
    def scenario(r):
        r.base(files)
        return r.add({"a.ini": text_of(Key(RNG))})

    scenario.__name__ = "configured_" + label
    return scenario


def merge(r):
    r.git("checkout", "-qb", "side")
    r.base({"README": "side\n"})
    r.git("checkout", "-q", "main")
    r.base({"README": "main\n"})
    r.git("merge", "side", check=False)
    return r.add({"README": text_of(Key(RNG))})


def renamed(r):
    r.base({"old.txt": "line\n" * 200})
    r.git("mv", "old.txt", "new.txt")
    return r.add({"new.txt": "line\n" * 200 + text_of(Key(RNG))})


def link(r):
    os.symlink(Key(RNG).id, r.path / "link")
    return r.add({})


def worktree(r):
    r.git("worktree", "add", "-q", "../other")
    r.arm()
    r.path = r.path.parent / "other"
    r.arm = lambda: None
    return r.add({"a.ini": text_of(Key(RNG))})


def from_below(r):
    r.base({"below/x": "x\n"})
    r.git("config", "diff.relative", "true")
    r.write("a.ini", text_of(Key(RNG)))
    r.git("add", "-A")
    r.arm()
    before = r.git("rev-parse", "HEAD").stdout
    r.git("-C", "below", "commit", "-m", "x", check=False)
    return r.git("rev-parse", "HEAD").stdout != before


def kubernetes(text):
    return "kind: Secret\ndata:\n  config: " + base64.b64encode(text.encode()).decode() + "\n"


def zipped(text):
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.ini", text)
        file.seek(0)
        return file.read()


HOLDS_A_KEY = [
    ini, only_a_secret, only_an_id, old_id, two_files, commit_all, commit_path, first_commit, work_tree_clean, file_gone,
    attribute("-diff"), attribute("binary"), attribute("diff=quiet"), attribute("text working-tree-encoding=UTF-16LE", "utf-16-le"),
    setting("diff.quiet.textconv", "true"), setting("diff.quiet.command", "true"), setting("diff.external", "true"),
    setting("diff.noprefix", "true"), setting("diff.mnemonicPrefix", "true"), setting("color.ui", "always"),
    setting("diff.srcPrefix", "x/"), setting("core.bigFileThreshold", "1"), setting("diff.ignoreSubmodules", "all"),
    named("spaces", "a b.ini"), named("newline", "a\nb.ini"), named("not_utf_8", b"a\xff.ini"), named("quote", 'a"b.ini'),
    named("umlaut", "schlüssel.ini"), named("glob", "[a]*.ini"), named("dash", "-a.ini"), named("image", "logo.png"),
    named("svg", "logo.svg"), named("pdf", "a.pdf"), named("lock", "package-lock.json"), named("go_sum", "go.sum"),
    named("node_modules", "node_modules/x/index.js"), named("vendor", "vendor/github.com/x/y.go"), named("git_folder", "x.git/config"),
    named("gitleaks", ".gitleaks.toml"), named("minified", "jquery.min.js"), named("venv", "venv/lib/python3.11/site-packages/x.py"),
    holding("utf_16", "a.txt", lambda text: b"\xff\xfe" + text.encode("utf-16-le")),
    holding("utf_16_no_bom", "a.txt", lambda text: text.encode("utf-16-le")),
    holding("crlf", "a.txt", lambda text: text.replace("\n", "\r\n")), holding("nul", "a.dat", lambda text: b"\0\0" + text.encode()),
    holding("kubernetes", "a.yaml", kubernetes), holding("zip", "a.zip", zipped),
    holding("one_line", "a.js", lambda text: "var a=1;" * 250_000 + text.replace("\n", ";")),
    holding("ten_megabytes", "a.sql", lambda text: "insert into t values (1);\n" * 400_000 + text),
    holding("notebook", "a.ipynb", lambda text: json.dumps({"cells": [{"source": [f'x = """{text}"""\n']}]})),
    ignored("gitleaks", {".gitleaks.toml": "[extend]\nuseDefault = true\n[allowlist]\npaths = ['''.*''']\n"}),
    ignored("secrets_ignore", {".secretsignore": "*\n", ".secretlintignore": "**\n", ".gitallowed": ".*\n"}),
    merge, renamed, link, worktree, from_below,
]  # fmt: skip


def plain_text(r):
    return r.add({"a.txt": "nothing to see\n"})


def documented_example(r):
    return r.add({"doc.md": "aws_access_key_id = " + "AKIA" + "IOSFODNN7EXAMPLE\n"})


def hashes(r):
    lines = [f"aws {RNG.randbytes(20).hex()}\nsecret sha256-{base64.b64encode(RNG.randbytes(32)).decode()}\n" for _ in range(50)]
    return r.add({"hashes.txt": "".join(lines)})


def neighbouring_edit(r):
    text = text_of(Key(RNG))
    r.base({"old.ini": text})
    return r.add({"old.ini": text.replace("[default]", "[work]") + "region = eu-west-1\n"})


def same_line_edit(r):
    key = Key(RNG)
    r.base({"old.sh": f"run {key.id} one\n"})
    return r.add({"old.sh": f"run {key.id} two\n"})


def moved(r):
    r.base({"old.ini": text_of(Key(RNG))})
    r.git("mv", "old.ini", "new.ini")
    return r.commit()


def removed(r):
    r.base({"old.ini": text_of(Key(RNG))})
    r.git("rm", "-q", "old.ini")
    return r.commit()


def mode_change(r):
    r.base({"old.sh": text_of(Key(RNG))})
    r.git("update-index", "--chmod=+x", "old.sh")
    return r.commit()


def key_not_staged(r):
    r.base({"a.txt": "x\n"})
    r.write("a.txt", "y\n")
    r.git("add", "a.txt")
    r.write("a.txt", text_of(Key(RNG)))
    return r.commit()


HOLDS_NONE = [plain_text, documented_example, hashes, neighbouring_edit, same_line_edit, moved, removed, mode_change, key_not_staged]


def hooks(peers):
    """A pre-commit hook for each, as its own documentation has it; those that take names get them from git."""
    names = 'git diff --cached --name-only --diff-filter=ACMRT -z | xargs -0 -r'
    hooks = {}
    for tool, words in peers.staged([]).items():
        command = " ".join(f"'{word}'" for word in words)
        if tool.startswith("git diff"):
            continue
        if tool == "git-secrets":
            hooks[tool] = "git secrets --register-aws >/dev/null 2>&1\n" + command
        elif tool in ["ripsecrets", "detect-secrets", "detect-aws-credentials", "secretlint"]:
            hooks[tool] = f"{names} {command}"
        else:
            hooks[tool] = "exec " + command
    return hooks


def compare(peers, tools):
    """Each tool, how many of those with a key it blocked, how many of those without it let pass, and what went wrong."""
    for tool, hook in hooks(peers).items():
        if tools and tool not in tools:
            continue
        wrong, blocked, passed = [], 0, 0
        for scenario in HOLDS_A_KEY + HOLDS_NONE:
            holds = scenario in HOLDS_A_KEY
            with tempfile.TemporaryDirectory() as folder:
                try:
                    was_made = scenario(Repository(folder, hook))
                except subprocess.SubprocessError as error:
                    wrong.append(f"{scenario.__name__} ({type(error).__name__})")
                    continue
            blocked += holds and not was_made
            passed += not holds and was_made
            if holds == was_made:
                wrong.append(scenario.__name__)
        yield tool, blocked, passed, wrong
