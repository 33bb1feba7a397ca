"""`make portal-wheel`: the simulated portal as a wheel, without the rest of the project."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.build import ROOT

PORTAL = ROOT / "local" / "portal"
DIST = ROOT / "dist"
UV = ROOT / ".venv" / "bin" / "uv"


def build(folder: Path) -> Path:
    """Build the wheel into a folder and return its path; raises CalledProcessError."""
    with TemporaryDirectory(prefix="portal-wheel-") as name:
        stage = Path(name)
        without = shutil.ignore_patterns("__pycache__", "wheel.toml", "README.md")
        shutil.copytree(PORTAL, stage / "local" / "portal", ignore=without)
        shutil.copy(PORTAL / "wheel.toml", stage / "pyproject.toml")
        shutil.copy(PORTAL / "README.md", stage)
        shutil.copy(ROOT / "LICENSE", stage)
        command = [str(UV), "build", "--wheel", "--quiet", "--offline", "--python", sys.executable]
        out = stage / "dist"
        subprocess.run([*command, "--out-dir", str(out), str(stage)], check=True)  # noqa: S603
        (built,) = out.glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(built, folder))


if __name__ == "__main__":
    try:
        print(build(DIST).relative_to(ROOT))
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
