"""The start script in copies of its own, with stand-ins for the machine's programs; nothing is installed here."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDINARY = (
    "cat",
    "cut",
    "dirname",
    "env",
    "flock",
    "head",
    "mktemp",
    "readlink",
    "rm",
    "sed",
    "sha256sum",
    "sh",
    "tail",
)
USABLE_PYTHON = "exit 0"
OLD_PYTHON = 'case "$*" in -V) echo "Python 3.9.2" ;; *) exit 1 ;; esac'
PYTHON_WITHOUT_VENV = 'case "$*" in *ensurepip*) exit 1 ;; esac'


class Machine:
    """A copy of the script in a folder of its own and a PATH that holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "pro ject"
        self.programs = folder / "bin"
        self.told = folder / "told"
        for place in (self.root, self.programs):
            place.mkdir()
        shutil.copy(ROOT / "run", self.root)
        for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements-uv.txt"):
            (self.root / name).write_text(f"# {name}\n")
        for name in ORDINARY:
            (self.programs / name).symlink_to(shutil.which(name) or pytest.fail(f"this machine has no {name}"))
        self.has("uname", "echo Linux")
        self.has("id", "echo 1000")

    def has(self, name: str, script: str) -> None:
        """Put a stand-in on the PATH; ``$told`` in it is the file of ``heard``."""
        self.write(self.programs / name, script)

    def write(self, file: Path, script: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\ntold='{self.told}'\n{script}\n")
        file.chmod(0o755)

    def heard(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []

    def run(
        self, *words: str, language: Mapping[str, str] | None = None, caller: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.programs), "HOME": str(self.root), **(language or {})}
        return subprocess.run(
            [self.root / "run", *words], env=environment, cwd=caller, capture_output=True, text=True, timeout=60
        )

    def is_set_up(self, lock: str = "requirements.txt") -> None:
        """Lay out what a finished set-up leaves, with a program that tells how it was called."""
        environment = self.root / ".venv"
        self.write(environment / "bin" / "python", "exit 0")
        self.write(environment / "bin" / "sealflow", 'printf "%s in %s\\n" "$*" "$(/bin/pwd)" >>"$told"')
        (environment / ".place").write_text(f"{self.root}\n{environment / 'bin' / 'python'}\n")
        content = (self.root / lock).read_bytes() + (self.root / "pyproject.toml").read_bytes()
        (environment / f".{lock}").write_text(hashlib.sha256(content).hexdigest() + "\n")

    def can_set_up(self) -> None:
        """Stand-ins for Python, pip and the installer; the last makes the environment it is asked for."""
        self.has(
            "python3", USABLE_PYTHON.replace("exit 0", f'case "$*" in "-m venv .tools") {self._make_tools()} ;; esac')
        )

    def _make_tools(self) -> str:
        template = self.root.parent / "template"
        self.write(
            template / "bin" / "python", 'echo "python $*" >>"$told"; [ "$2 $3" != "pip config" ] || cat "$told.pip"'
        )
        self.write(
            template / "bin" / "uv",
            'echo "uv $* ${UV_DEFAULT_INDEX:-}" >>"$told"; [ ! -e "$told.broken" ] || exit 2\n'
            '[ "$1" != venv ] || { /bin/mkdir -p .venv/bin; '
            "printf '#!/bin/sh\\n' >.venv/bin/python; "
            'printf "#!/bin/sh\\necho started >>\'%s\'\\n" "$told" >.venv/bin/sealflow; '
            "/bin/chmod +x .venv/bin/python .venv/bin/sealflow; }",
        )
        Path(f"{self.told}.pip").touch()
        return f"/bin/cp -r '{template}' .tools"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_command_the_usage_is_said_and_the_status_is_64(machine: Machine) -> None:
    said = machine.run()
    assert said.returncode == 64
    assert "demo" in said.stderr
    assert "test" in said.stderr
    assert not said.stdout


def test_an_unknown_command_is_named(machine: Machine) -> None:
    said = machine.run("dmeo")
    assert said.returncode == 64
    assert "There is no command dmeo." in said.stderr


def test_help_is_no_error(machine: Machine) -> None:
    said = machine.run("--help")
    assert said.returncode == 0
    assert said.stdout.startswith("Usage: ./run COMMAND")


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, "Usage"),
        ({"LANG": "zh_CN.UTF-8"}, "用法"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "Usage"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_TW"}, "用法"),
        ({"LC_ALL": "C", "SEALFLOW_LANG": "zh"}, "用法"),
    ],
)
def test_the_language_is_that_of_the_locale_unless_told(
    machine: Machine, variables: dict[str, str], first: str
) -> None:
    assert machine.run(language=variables).stderr.startswith(first)


def test_every_sentence_exists_in_both_languages(machine: Machine) -> None:
    chinese = machine.run(language={"LANG": "zh_CN.UTF-8"}).stderr.splitlines()
    english = machine.run().stderr.splitlines()
    assert [line.split()[0] for line in chinese[1:]] == [line.split()[0] for line in english[1:]]


def test_the_one_line_to_run_names_everything_that_is_missing(machine: Machine) -> None:
    machine.has("apt-get", "echo called >>$told")
    said = machine.run("test")
    assert said.returncode == 69
    (line,) = [line for line in said.stderr.splitlines() if "apt-get" in line]
    before, packages = line.split(" --no-install-recommends ")
    assert before == "  sudo apt-get update && sudo apt-get install -y"
    judges = {"poppler-utils", "qpdf", "openssl", "fontconfig", "redis-server", "shellcheck", "softhsm2"}
    judges.add("libreoffice-writer-nogui")
    assert {*packages.split(), "rabbitmq-server"} == {*judges, "rabbitmq-server", "python3", "python3-venv"}
    assert not machine.heard(), "nothing is installed without the right to"


def test_the_demo_asks_for_python_only(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    machine.has("sudo", "exit 1")
    assert "recommends python3 python3-venv\n" in machine.run("demo").stderr
    machine.has("python3", PYTHON_WITHOUT_VENV)
    assert "recommends python3-venv\n" in machine.run("demo").stderr


def test_an_unknown_system_is_refused_with_what_it_lacks(machine: Machine) -> None:
    said = machine.run("demo")
    assert said.returncode == 69
    assert "neither Debian nor Ubuntu" in said.stderr
    assert said.stderr.endswith("python3 python3-venv\n")


def test_another_kernel_is_refused(machine: Machine) -> None:
    machine.has("uname", "echo Darwin")
    said = machine.run("demo")
    assert said.returncode == 69
    assert "Linux only" in said.stderr


def test_an_old_python_is_named_with_systems_that_have_a_newer_one(machine: Machine) -> None:
    machine.has("python3", OLD_PYTHON)
    said = machine.run("demo")
    assert said.returncode == 69
    assert "Python 3.9.2" in said.stderr
    assert "Debian 12" in said.stderr


@pytest.mark.parametrize("who", ["root", "sudo"])
def test_missing_packages_are_installed_by_root_or_with_sudo_that_asks_nothing(machine: Machine, who: str) -> None:
    machine.can_set_up()
    usable = (machine.programs / "python3").rename(machine.programs.parent / "python3")
    machine.has("apt-get", f'echo "$1" >>"$told"; [ "$1" = update ] || /bin/cp \'{usable}\' \'{machine.programs}\'')
    machine.has("id", f"echo {0 if who == 'root' else 1000}")
    machine.has("sudo", '[ "$1" = -n ] && shift && exec "$@"' if who == "sudo" else "exit 1")
    machine.has("true", "exit 0")
    said = machine.run("sealflow")
    assert said.returncode == 0, said.stderr
    assert machine.heard()[:2] == ["update", "install"]
    assert machine.heard()[-1] == "started"


def test_why_packages_could_not_be_installed_is_shown(machine: Machine) -> None:
    machine.has("apt-get", "echo 'E: no such mirror'; exit 100")
    machine.has("id", "echo 0")
    said = machine.run("demo")
    assert said.returncode == 69
    assert "E: no such mirror" in said.stderr
    assert said.stderr.endswith("  apt-get update && apt-get install -y --no-install-recommends python3 python3-venv\n")


def test_what_is_set_up_starts_at_once_and_where_the_caller_stands(machine: Machine, tmp_path: Path) -> None:
    machine.is_set_up()
    said = machine.run("sealflow", "verify", "a b.pdf", caller=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert machine.heard() == [f"verify a b.pdf in {tmp_path}"]
    machine.run("worker", "--processes", "2", caller=tmp_path)
    assert machine.heard()[1] == f"worker --processes 2 in {tmp_path}"


def test_a_link_to_the_script_is_the_script(machine: Machine, tmp_path: Path) -> None:
    machine.is_set_up()
    (tmp_path / "link").symlink_to(machine.root / "run")
    subprocess.run([tmp_path / "link", "sealflow"], env={"PATH": str(machine.programs)}, check=True, timeout=60)
    assert len(machine.heard()) == 1


def test_what_developers_set_up_serves_the_demo_too(machine: Machine) -> None:
    machine.is_set_up("requirements-dev.txt")
    assert machine.run("sealflow").returncode == 0
    assert len(machine.heard()) == 1


def spoil_lock(machine: Machine) -> None:
    with (machine.root / "requirements.txt").open("a") as file:
        file.write("# one more\n")


def spoil_python(machine: Machine) -> None:
    python = machine.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.9")


def spoil_place(machine: Machine) -> None:
    place = machine.root / ".venv" / ".place"
    place.write_text("/elsewhere\n" + place.read_text().splitlines()[1])


def interrupt(machine: Machine) -> None:
    (machine.root / ".venv" / ".place").unlink()


@pytest.mark.parametrize(
    ("spoil", "anew"), [(spoil_lock, False), (spoil_python, True), (spoil_place, True), (interrupt, True)]
)
def test_what_no_longer_fits_is_installed_again_once(machine: Machine, spoil: object, anew: bool) -> None:
    machine.can_set_up()
    machine.run("sealflow")
    leftover = machine.root / ".venv" / "leftover"
    leftover.touch()
    assert callable(spoil)
    spoil(machine)
    machine.told.unlink()
    said = machine.run("sealflow")
    assert said.returncode == 0, said.stderr
    assert any("pip install" in line for line in machine.heard())
    assert leftover.exists() != anew
    machine.told.unlink()
    assert machine.run("sealflow").stderr == ""
    assert machine.heard() == ["started"]


def test_a_failed_installation_says_so_and_is_taken_up_again(machine: Machine) -> None:
    machine.can_set_up()
    Path(f"{machine.told}.broken").touch()
    said = machine.run("sealflow")
    assert said.returncode == 69
    assert "try again" in said.stderr
    Path(f"{machine.told}.broken").unlink()
    assert machine.run("sealflow").returncode == 0
    assert machine.heard()[-1] == "started"


def test_a_mirror_set_for_pip_holds_for_the_installer(machine: Machine) -> None:
    machine.can_set_up()
    Path(f"{machine.told}.pip").write_text("global.index-url='https://mirror.example/simple'\n")
    machine.run("sealflow")
    assert any(line.startswith("uv pip install") and "mirror.example" in line for line in machine.heard())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(machine: Machine) -> None:
    machine.can_set_up()
    machine.root.chmod(0o555)
    assert machine.run("sealflow").returncode == 77
    machine.root.chmod(0o755)


def test_shellcheck_finds_nothing() -> None:
    scripts = [ROOT / "run", ROOT / ".ci" / "run", ROOT / ".ci" / "lock", ROOT / "samples" / "demo.sh"]
    said = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
