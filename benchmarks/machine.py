"""What the figures were measured on."""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

# The instructions that decide how fast convolutions are, as Linux spells them.
INSTRUCTIONS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
)


def describe() -> dict[str, Any]:
    """Return processor, memory and system; JSON-ready, and without a path or a host's name."""
    processor = _processor()
    flags = set(processor.get("flags", processor.get("Features", "")).split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor.get("model name", platform.machine()),
        "family_model": [processor.get("cpu family", ""), processor.get("model", "")],
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cache": processor.get("cache size", ""),
        "memory_gib": round(memory / (1 << 30), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of those of `packages` that this environment has."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> dict[str, str]:
    """Return the first processor's entry of /proc/cpuinfo; nothing where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    lines = text.split("\n\n", 1)[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    print(json.dumps(versions(*sys.argv[1:])))
