"""What is shipped: a wheel and an sdist, installed into a fresh environment and tried."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from openclaw_rating import __version__
from openclaw_rating.testing import ClawdProcess

ROOT = Path(__file__).resolve().parents[1]

TRY = """
import sys
from importlib.metadata import requires, version
from openclaw_rating import OpenClawClient, TokenBucket
import openclaw_rating.integrations, openclaw_rating.testing
assert "site-packages" in openclaw_rating.__file__, openclaw_rating.__file__
assert version("openclaw-rating-sdk") == openclaw_rating.__version__ == sys.argv[2]
needed = [one for one in requires("openclaw-rating-sdk") if "extra ==" not in one]
assert len(needed) == 1 and needed[0].startswith("httpx2"), needed
with OpenClawClient(base_url=sys.argv[1]) as client:
    assert TokenBucket(client=client, capacity=1, refill_rate=1, interval_seconds=3600).consume(sys.argv[3])
"""


def run(*argv: str | Path) -> str:
    done = subprocess.run([str(one) for one in argv], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both forms, the wheel built from the sdist, as an index would."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


def test_the_wheel_has_what_it_should(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == f"openclaw_rating_sdk-{__version__}-py3-none-any.whl"
    run(sys.executable, "-m", "check_wheel_contents", wheel)
    names = zipfile.ZipFile(wheel).namelist()
    assert "openclaw_rating/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "openclaw_rating",
        f"openclaw_rating_sdk-{__version__}.dist-info",
    }


def test_the_sdist_can_be_worked_with(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for wanted in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "tests/conftest.py", "docs/reference.md"):
        assert wanted in names
    assert not any(".venv" in name or "__pycache__" in name for name in names)


@pytest.mark.parametrize("form", ["*.whl", "*.tar.gz"])
def test_it_installs_and_works(dist: Path, form: str, tmp_path: Path, clawd: ClawdProcess, key: str) -> None:
    """In a fresh environment; what it needs is taken from this one, since the network is not what is tried."""
    (archive,) = dist.glob(form)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    if form == "*.tar.gz":
        archive = built(archive, tmp_path)
    run(
        Path(sys.executable).parent / "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        python,
        archive,
    )
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    for name in ("httpx2", "httpcore2", "h11", "anyio", "idna", "truststore", "typing_extensions", "exceptiongroup"):
        for source in Path(sysconfig.get_path("purelib")).glob(f"{name}*"):
            (Path(site) / source.name).symlink_to(source)
    run(python, "-I", "-W", "error", "-c", TRY, clawd.url, __version__, key)


def built(sdist: Path, tmp_path: Path) -> Path:
    """A wheel from an sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.name.startswith("openclaw_rating_sdk"))
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path / "built", source)
    (wheel,) = (tmp_path / "built").glob("*.whl")
    return wheel
