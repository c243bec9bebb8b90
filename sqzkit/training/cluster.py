"""Who takes part, by TF_CONFIG: the record that TensorFlow and Kubernetes use. Light."""

import json
import os
from typing import Any

CHIEFS = ("chief", "master")


def tasks() -> dict[str, list[str]]:
    """Return the addresses by kind of process; empty unless TF_CONFIG names them."""
    found = _tf_config().get("cluster")
    if not isinstance(found, dict):
        return {}
    return {
        str(kind): addresses
        for kind, addresses in found.items()
        if isinstance(addresses, list) and all(isinstance(a, str) for a in addresses)
    }


def task() -> tuple[str | None, int]:
    """Return kind and index of this process; (None, 0) where it is alone."""
    found = _tf_config().get("task")
    if not isinstance(found, dict):
        return None, 0
    index = found.get("index", 0)
    return found.get("type"), index if isinstance(index, int) else 0


def is_chief() -> bool:
    """Return whether this process is the one that writes the run folder."""
    kind, index = task()
    led = any(name in CHIEFS for name in tasks())
    return kind is None or kind in CHIEFS or (kind == "worker" and index == 0 and not led)


def _tf_config() -> dict[str, Any]:
    try:
        found = json.loads(os.environ.get("TF_CONFIG", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
