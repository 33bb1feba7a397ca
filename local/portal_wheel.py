"""`make portal-wheel`: the simulated portal as a wheel, without the rest of the project.

In the wheel the package has a name of its own: `local.portal` would be a stranger's `local`.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PORTAL = ROOT / "local" / "portal"
DIST = ROOT / "dist"
NAME = "bitrix24_portal"
UV = ROOT / ".venv" / "bin" / "uv"


def build(folder: Path) -> Path:
    """Build the wheel into a folder and return its path; raises CalledProcessError."""
    with TemporaryDirectory(prefix="portal-wheel-") as name:
        stage = Path(name)
        without = shutil.ignore_patterns("__pycache__", "wheel.toml", "README.md")
        shutil.copytree(PORTAL, stage / NAME, ignore=without)
        shutil.copy(PORTAL / "wheel.toml", stage / "pyproject.toml")
        shutil.copy(PORTAL / "README.md", stage)
        shutil.copy(ROOT / "LICENSE", stage)
        for path in (*stage.rglob("*.py"), stage / "README.md", stage / "pyproject.toml"):
            path.write_text(path.read_text("utf-8").replace("local.portal", NAME), "utf-8")
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
