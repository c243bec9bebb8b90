"""Put the app on the connected phone: `make install`.

    python android_demo/tools/install.py [FILE.apk]

Only the standard library and adb (of Android's platform-tools) are needed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

APK = Path(__file__).resolve().parents[1] / "target/sqzkit.apk"

NO_ADB = """adb is not installed. One of:
  apt install adb            (Debian, Ubuntu)
  brew install android-platform-tools
or copy {apk} to the phone by cable or mail and open it there
(Android asks once whether that app may install others)."""

NO_PHONE = """No phone is connected.
  1. On the phone: Settings > About > tap "Build number" seven times.
  2. Settings > System > Developer options > USB debugging: on.
  3. Connect the cable and confirm "Allow USB debugging" on the phone.
Then run `make install` again; `adb devices` must list the phone as "device".
Without a cable: copy {apk} to the phone and open it there."""

SEVERAL = """Several phones are connected: {phones}.
Say which one: ANDROID_SERIAL={first} make install"""


class InstallError(Exception):
    """The app cannot be installed; the message says what to do."""


def find_adb() -> str | None:
    """Return adb, from the path or an Android SDK."""
    for sdk in (os.environ.get("ANDROID_HOME"), os.environ.get("ANDROID_SDK_ROOT")):
        if sdk and (Path(sdk) / "platform-tools/adb").exists():
            return str(Path(sdk) / "platform-tools/adb")
    return shutil.which("adb")


def phones(adb: str) -> list[str]:
    """Return the serial numbers of the phones that are ready."""
    listed = subprocess.run([adb, "devices"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return [row[0] for row in rows if len(row) == 2 and row[1] == "device"]


def install(apk: Path) -> None:
    """Install the app; raise `InstallError` with what to do if that is not possible."""
    if not apk.exists():
        raise InstallError(f"{apk} is not there: run `make apk` first")
    adb = find_adb()
    if adb is None:
        raise InstallError(NO_ADB.format(apk=apk))
    ready = phones(adb)
    if not ready:
        raise InstallError(NO_PHONE.format(apk=apk))
    if len(ready) > 1 and os.environ.get("ANDROID_SERIAL") not in ready:
        raise InstallError(SEVERAL.format(phones=", ".join(ready), first=ready[0]))
    done = subprocess.run([adb, "install", "-r", str(apk)], check=False).returncode
    if done != 0:
        raise InstallError(
            "adb could not install it. If it says INSTALL_FAILED_UPDATE_INCOMPATIBLE, an app "
            "signed with another key is there: adb uninstall org.sqzkit.demo"
        )


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]) if len(sys.argv) > 1 else APK)
    except InstallError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
