"""The TFLite Metadata library's own Java reader reads our files.

Set SQZKIT_TFLITE_METADATA_JARS to a folder with org.tensorflow:tensorflow-lite-metadata
0.4.4 and its dependencies (`mvn dependency:copy-dependencies`).
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "ReadMetadata.java"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "none"])
def test_java_reads_normalization_and_labels(converted, tmp_path, kind):
    jars = os.environ.get("SQZKIT_TFLITE_METADATA_JARS")
    if not jars or not shutil.which("java"):
        pytest.skip("needs Java and SQZKIT_TFLITE_METADATA_JARS")
    model = tmp_path / "m.tflite"
    model.write_bytes(converted[kind])
    call = ["java", "-cp", f"{jars}/*", str(PROGRAM), str(model)]
    result = subprocess.run(call, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "true",
        "small|1|Apache-2.0",
        "0.0|1.0",
        "[labels.txt, preprocessing.json]",
        "[ant, bee, cat, dog, eel]",
    ]
