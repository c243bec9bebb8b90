"""Models that describe more than they hold; no converter is needed to make them."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from sqzkit.base.errors import FormatError
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests import counting
from tests.fuzz import seeds, small_model


def packed(model):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_the_small_model_is_whole():
    model = TFLiteFile(small_model.build(4))
    (convolution,) = model.convolutions()
    assert (convolution.layer, convolution.kernel.dtype) == ("conv1", "float16")
    assert metadata.read(model).labels == ("class 0", "class 1", "class 2", "class 3")


def test_a_tensor_of_many_dimensions_is_refused():
    model = schema.ModelT.InitFromPackedBuf(small_model.build(2), 0)
    model.subgraphs[0].tensors[0].shape = [1] * 17
    with pytest.raises(FormatError, match="tensor 0 has 17 dimensions"):
        TFLiteFile(packed(model))


def test_reading_takes_work_in_proportion_to_the_convolutions():
    def model_of(convolutions):
        model = schema.ModelT.InitFromPackedBuf(small_model.build(2), 0)
        expand, convolve, _ = model.subgraphs[0].operators
        model.subgraphs[0].operators = [convolve] * convolutions + [expand]
        return packed(model)

    few, many = model_of(1000), model_of(4000)
    assert len(TFLiteFile(many).convolutions()) == 4000
    work = [counting.calls(lambda c=c: TFLiteFile(c).convolutions()) for c in (few, many)]
    assert work[1] < 5 * work[0]  # 16 times, if each looked at all the others


def test_label_files_with_paths_in_their_names_are_only_read_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = TFLiteFile(seeds.tflite()[0])
    content = model.content.replace(b"labels.txt", b"../ls/.txt")
    found = metadata.read(TFLiteFile(content))
    assert found.labels == metadata.read(model).labels
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_behind_a_model_is_refused():
    bare = TFLiteFile(small_model.build(2)).content
    model = bare[: bare.index(b"PK\x03\x04")] + seeds.bomb_zip()
    with pytest.raises(FormatError, match="associated files of a model: "):
        metadata.read(TFLiteFile(model))


def test_nan_normalization_is_refused():
    model = small_model.build(2)
    bad = model.replace(np.float32(1).tobytes(), np.float32("nan").tobytes())
    assert bad != model
    with pytest.raises(FormatError, match="normalization by mean"):
        metadata.read(TFLiteFile(bad))
