import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.errors import InvariantError, UsageError
from sqzkit.compression import chain, kernels, sparsity, tfmot
from sqzkit.conversion import checks, stage_summary
from sqzkit.data.pipeline import raw_images
from sqzkit.models import registry
from sqzkit.preprocessing import default
from sqzkit.preprocessing.photograph import normalize
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import load_run
from sqzkit.training.options import FitOptions
from tests.compression import small_chain


def load_stage(folder, stage):
    return load_run(folder.path, stage).model


def test_each_stage_leaves_what_was_asked_for(finished_chain):
    folder, _ = finished_chain
    assert [entry["stage"] for entry in folder.finished_stages()] == [
        "train",
        "prune",
        "cluster",
        "quantize",
    ]
    pruned = kernels.read_kernels(load_stage(folder, "prune"))
    for name, kernel in pruned.items():
        assert kernels.sparsity(kernel) == (0.25 if name == "conv1" else 0.5), name
    for stage in ("cluster", "quantize"):
        assert folder.read_spec(stage)["normalization"] == "none"
        for name, kernel in kernels.read_kernels(load_stage(folder, stage)).items():
            assert np.unique(kernel).size <= 8
            assert np.all(kernel[pruned[name] == 0] == 0)
    assert folder.read_spec("prune")["normalization"] == "batch"
    assert all(0 <= entry["metrics"]["top1"] <= 1 for entry in folder.finished_stages())
    assert not folder.checkpoints_path.exists()


def test_the_int8_file_keeps_it_too(finished_chain, corners):
    folder, _ = finished_chain
    model = load_stage(folder, "quantize")
    content = small_chain.int8_file(folder, model, corners)
    found = checks.check_compression(model, folder.preprocessing, content)
    for name, (zeros, distinct) in found.items():
        assert zeros >= (0.25 if name == "conv1" else 0.5)
        assert distinct <= 8


def test_a_finished_chain_is_not_run_again(finished_chain, corners):
    folder, options = finished_chain
    before = (folder.path / "stages.json").read_bytes()
    assert stage_summary.compress(folder, small_chain.quick_config(), options, corners) == []
    assert (folder.path / "stages.json").read_bytes() == before


def test_a_checkpoint_that_a_kill_left_is_removed(finished_chain, corners):
    folder, options = finished_chain
    checkpoint = folder.checkpoints_path / "cluster.npz"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"of the last epoch")
    assert stage_summary.compress(folder, small_chain.quick_config(), options, corners) == []
    assert not checkpoint.parent.exists()


def test_a_summary_that_a_kill_prevented_is_made_up_for(finished_chain, corners, tmp_path):
    folder, options = copy_up_to(finished_chain, tmp_path, "quantize")
    record = folder.read_record("compression")
    # As after a kill between the measurement of the last stage and the tables.
    folder.write_record("compression", {**record, "layers_of": "weights of before"})
    (folder.path / "compression.md").unlink()
    assert stage_summary.compress(folder, small_chain.quick_config(), options, corners) == []
    assert (folder.path / "compression.md").exists()
    assert folder.read_record("compression") == record


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_sparsity": "0.6"}, "stage prune.*target_sparsity: '0.5,conv1=0.25' there, '0.6'"),
        ({"number_of_clusters": "9"}, "stage cluster.*number_of_clusters"),
        ({"codebook": "uniform"}, "stage cluster.*codebook: 'linear' there, 'uniform' asked"),
        (
            {"quantize_epochs": 2},
            "stage quantize.*epochs",
        ),
    ],
)
def test_a_finished_stage_with_other_flags_is_refused(finished_chain, corners, changes, message):
    folder, options = finished_chain
    with pytest.raises(UsageError, match=message):
        stage_summary.compress(folder, small_chain.quick_config(**changes), options, corners)


def test_epochs_that_follow_from_the_data_do_not_refuse_a_finished_stage(finished_chain, corners):
    folder, options = finished_chain
    config = small_chain.quick_config(prune_epochs=None, quantize_epochs=None)
    assert stage_summary.compress(folder, config, options, corners) == []


def test_other_training_options_are_refused_too(finished_chain, corners):
    folder, options = finished_chain
    other = dataclasses.replace(options, batch_size=8)
    with pytest.raises(UsageError, match="batch_size: 16 there, 8 asked"):
        stage_summary.compress(folder, small_chain.quick_config(), other, corners)


def test_stages_cannot_be_slipped_in_afterwards(finished_chain, corners):
    folder, options = finished_chain
    config = small_chain.quick_config(stages=("prune", "dense"))
    with pytest.raises(UsageError, match="already finished 'cluster', which comes after"):
        stage_summary.compress(folder, config, options, corners)


def test_a_stage_that_loses_zeros_stops_the_run(finished_chain, corners, tmp_path, monkeypatch):
    """What TF-MOT did silently: the run names the layer, and the stage is not finished."""
    folder, options = copy_up_to(finished_chain, tmp_path, "cluster")
    strip = chain.stages.quantization.strip

    def careless(wrapped):
        weights = strip(wrapped)
        weights["fire2/expand3x3"][0] = weights["fire2/expand3x3"][0] + 1e-3
        return weights

    monkeypatch.setattr(chain.stages.quantization, "strip", careless)
    with pytest.raises(InvariantError, match="fire2/expand3x3: .* pruned weights came back"):
        stage_summary.compress(folder, small_chain.quick_config(), options, corners)
    assert [entry["stage"] for entry in folder.finished_stages()][-1] == "cluster"


@pytest.mark.slow
def test_dense_sparse_dense_brings_the_pruned_weights_back(finished_chain, corners, tmp_path):
    folder, options = copy_up_to(finished_chain, tmp_path, "prune")
    config = small_chain.quick_config(stages=("prune", "dense", "cluster"), codebook="uniform")
    assert stage_summary.compress(folder, config, options, corners) == ["dense", "cluster"]
    dense = kernels.read_kernels(load_stage(folder, "dense"))
    assert kernels.overall_sparsity(dense) < 0.05
    clustered = kernels.read_kernels(load_stage(folder, "cluster"))
    assert all(np.unique(kernel).size <= 7 for kernel in clustered.values())


def test_a_scan_measures_the_loss_on_training_images_of_the_seed(corners, tmp_path, monkeypatch):
    network = small_chain.small_spec(normalization="none")
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    folder = RunFolder(tmp_path)
    folder.write_preprocessing(default(small_chain.SIDE))
    monkeypatch.setattr(chain, "SCAN_BATCH", 5)
    losses = []
    for seed in (1, 2):
        fit = FitOptions(epochs=1, seed=seed)
        config = small_chain.quick_config(scan_examples=12)
        start = chain.stages.Start(model, network.to_json(), fit, 1, config)
        pixels, labels = raw_images(corners, "train", folder.preprocessing, 12, seed)
        logits = model(normalize(pixels, folder.preprocessing), training=False)
        expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        losses.append(chain._scan_loss(start, corners, folder)())
        assert losses[-1] == pytest.approx(float(np.mean(expected)), rel=1e-5)
    assert losses[0] != losses[1]


@pytest.mark.slow
def test_a_scan_proposes_the_sparsity_by_layer(finished_chain, corners, tmp_path, capsys):
    folder, options = copy_up_to(finished_chain, tmp_path, "train")
    config = small_chain.quick_config(
        stages=("prune",), target_sparsity="scan:0.6", scan_examples=32
    )
    stage_summary.compress(folder, config, options, corners)
    assert "the scan proposes --target_sparsity=conv1=" in capsys.readouterr().out
    pruned = kernels.read_kernels(load_stage(folder, "prune"))
    assert kernels.overall_sparsity(pruned) == pytest.approx(0.6, abs=0.01)
    recorded = folder.finished_stages()[-1]["config"]["sparsity"]
    for name, kernel in pruned.items():
        assert kernels.sparsity(kernel) == pytest.approx(recorded[name], abs=0.6 / kernel.size)
    assert stage_summary.compress(folder, config, options, corners) == []


def copy_up_to(finished_chain, path, stage):
    """Return a copy of the run in which nothing after `stage` has happened."""
    folder, options = finished_chain
    shutil.copytree(folder.path, path / "run")
    copy = RunFolder(path / "run")
    kept = []
    for entry in copy.finished_stages():
        kept.append(entry)
        if entry["stage"] == stage:
            break
    (copy.path / "stages.json").write_text(json.dumps(kept))
    for entry in folder.finished_stages()[len(kept) :]:
        copy.weights_path(entry["stage"]).unlink()
        copy.stage_spec_path(entry["stage"]).unlink()
    return copy, options


class BegunError(Exception):
    """A stage is about to be trained."""


def begun(folder, config, options, dataset):
    """Run the chain up to its first training; return the model to be trained, and how."""
    found = []

    def begin(*given):
        found.extend(given)
        raise BegunError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(BegunError):
        patch.setattr(chain, "fit_stage", begin)
        chain.run_stages(folder, config, options, dataset)
    return found


@pytest.mark.parametrize("sharing", ["lamp", "scan"])
def test_one_sparsity_is_shared_out_over_the_layers(
    finished_chain, corners, tmp_path, monkeypatch, sharing
):
    monkeypatch.setattr(sparsity, "GRID", (0.5, 0.95))  # of which a scan takes seconds
    folder, options = copy_up_to(finished_chain, tmp_path, "train")
    config = small_chain.quick_config(target_sparsity=f"{sharing}:0.6", scan_examples=20)
    model, training = begun(folder, config, options, corners)
    targets = training.config["sparsity"]
    trained = kernels.read_kernels(load_stage(folder, "train"))
    sizes = {name: kernel.size for name, kernel in trained.items()}
    overall = sum(sizes[name] * share for name, share in targets.items()) / sum(sizes.values())
    assert overall == pytest.approx(0.6, abs=0.01) and len(set(targets.values())) > 2
    wrapped = tfmot.collect_prunable_layers(model)
    assert {layer.layer.name: layer.pruning_schedule.final_sparsity for layer in wrapped} == {
        name: share for name, share in targets.items() if share
    }
    if sharing == "lamp":
        assert targets == sparsity.share_out(trained, 0.6)
        return
    weights = folder.finished_stages()[-1]["weights_sha256"]
    assert folder.read_record(sparsity.RECORD)["identity"] == {"weights": weights, "examples": 20}


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_stage_learns_from_the_trained_network(finished_chain, corners, tmp_path, share):
    """What is trained, on what, by which loss: nothing of it shows in so short a training."""
    folder, options = copy_up_to(finished_chain, tmp_path, "prune")
    config = small_chain.quick_config(stages=("prune", "cluster"), distillation=share)
    entry = folder.finished_stages()[-1]
    entry["config"] |= {"distillation": share, "label_smoothing": 0.2}
    options = dataclasses.replace(options, label_smoothing=0.2)
    (folder.path / "stages.json").write_text(json.dumps([*folder.finished_stages()[:-1], entry]))
    _, training = begun(folder, config, options, corners)
    assert training.stage == "cluster"
    assert training.dataset is corners
    assert training.config["starts_from"] == entry["weights_sha256"]
    if not share:
        assert training.loss is None
        return
    pixels, labels = raw_images(corners, "test", folder.preprocessing, 4)
    images = tf.constant(normalize(pixels, folder.preprocessing))
    teacher, later = (load_stage(folder, s)(images, training=False) for s in ("train", "prune"))
    assert np.abs(teacher - later).max() > 0.01, "else any stage's network would do"
    # Large, so that a small difference between teachers is a large one of the loss.
    logits = tf.constant(100 * np.random.default_rng(0).normal(size=(4, 4)), tf.float32)
    alone = tf.nn.softmax_cross_entropy_with_logits(0.8 * tf.one_hot(labels, 4) + 0.05, logits)
    taught = 4 * tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(teacher / 2), logits / 2)
    expected = (1 - share) * alone + share * taught
    np.testing.assert_allclose(training.loss(images, labels, logits), expected, rtol=1e-4)
