import subprocess
import sys
import zipfile
from pathlib import Path

from regreen.tools.locate import find

ROOT = Path(__file__).parents[2]


def test_the_wheel_puts_only_regreen_into_site_packages(tmp_path: Path) -> None:
    uv = find("uv")
    assert uv is not None
    build = [str(uv), "build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"regreen", f"regreen-{wheel.name.split('-')[1]}.dist-info"}
    assert "regreen/tools/tools.lock" in names
    for room in ("activities", "workflows", "workers", "starters"):
        assert any(name.startswith(f"regreen/_app/{room}/") for name in names)
