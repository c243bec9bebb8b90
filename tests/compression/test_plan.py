import dataclasses

import pytest

import sqzkit
from sqzkit.base.errors import UsageError
from sqzkit.compression import plan
from sqzkit.compression.plan import CompressionConfig
from tests import approved


def test_settings_are_as_approved():
    approved.check_settings(CompressionConfig)
    approved.check_values("stage_epochs", plan.EPOCHS)


def test_the_defaults_are_legal():
    config = CompressionConfig()
    assert config.stages == ("train",)
    assert config.sparsity_table().default == 0.92
    assert config.cluster_table().default == 16
    assert config.sharing == "lamp"


@pytest.mark.parametrize(
    "sparsity", ["-0.1", "1", "1.5", "scan:1", "scan:", "lamp:0.5,a=0", "lamp"]
)
def test_sparsity_outside_of_its_range_is_refused(sparsity):
    with pytest.raises(UsageError, match="--target_sparsity"):
        CompressionConfig(target_sparsity=sparsity)


@pytest.mark.parametrize("clusters", ["1", "-3", "256", "conv1=1", "1.5"])
def test_impossible_numbers_of_clusters_are_refused(clusters):
    with pytest.raises(UsageError, match="--number_of_clusters"):
        CompressionConfig(number_of_clusters=clusters)


def test_clusters_may_leave_a_layer_out():
    table = CompressionConfig(number_of_clusters="8,conv1=0").cluster_table()
    assert table.resolve(["conv1", "conv10"]) == {"conv1": 0, "conv10": 8}


def test_other_bad_options_are_refused():
    with pytest.raises(UsageError, match="--codebook 'random': must be one of linear"):
        CompressionConfig(codebook="random")
    with pytest.raises(UsageError, match="--prune_epochs 0: must be 1 or more"):
        CompressionConfig(prune_epochs=0)
    with pytest.raises(UsageError, match="--cluster_learning_rate 0"):
        CompressionConfig(cluster_learning_rate=0.0)
    with pytest.raises(UsageError, match=r"--distillation 1.5: must be 0\.\.1"):
        CompressionConfig(distillation=1.5)
    with pytest.raises(UsageError, match="--scan_examples 0"):
        CompressionConfig(scan_examples=0)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "name at least one"),
        (["train", "shrink"], "'shrink': must be one of train, prune"),
        (["cluster", "prune"], "'prune' cannot follow 'cluster'"),
        (["prune", "prune"], "'prune' cannot follow 'prune'"),
        (["quantize", "train"], "the order is train, prune, dense, cluster, quantize"),
    ],
)
def test_stages_out_of_order_are_refused(stages, message):
    with pytest.raises(UsageError, match=message):
        CompressionConfig(stages=tuple(stages))


def test_what_is_finished_is_not_run_again():
    assert plan.stages_to_run(["train", "prune", "quantize"], []) == ["train", "prune", "quantize"]
    assert plan.stages_to_run(["train", "prune", "cluster"], ["train", "prune"]) == ["cluster"]
    assert plan.stages_to_run(["quantize"], ["train"]) == ["quantize"]
    assert plan.stages_to_run(["prune"], ["head", "train"]) == ["prune"]
    assert plan.stages_to_run(["train"], ["train", "prune"]) == []


@pytest.mark.parametrize(
    ("wanted", "finished", "message"),
    [
        (["prune"], ["train", "cluster"], "already finished 'cluster', which comes after"),
        (["prune"], [], "nothing is trained in this run folder; use --stages=train,prune"),
        (["dense"], ["train"], "run prune before it"),
    ],
)
def test_what_the_run_folder_cannot_do_is_refused(wanted, finished, message):
    with pytest.raises(UsageError, match=message):
        plan.stages_to_run(wanted, finished)


def test_a_stage_depends_on_its_own_options_only():
    config = CompressionConfig(target_sparsity="0.7")
    other = dataclasses.replace(config, target_sparsity="0.8")
    assert config.stage_record("prune") != other.stage_record("prune")
    assert config.stage_record("cluster") == other.stage_record("cluster")
    assert "scan_examples" not in config.stage_record("prune")
    scanning = dataclasses.replace(config, target_sparsity="scan:0.7")
    assert scanning.sharing == "scan"
    assert scanning.stage_record("prune")["scan_examples"] == 512
    assert scanning.sparsity_table().default == 0.7


def test_asynchronous_workers_train_but_do_not_compress():
    plan.refuse_strategy(("train",), "parameter_server")
    plan.refuse_strategy(plan.STAGES, "multi_worker_mirrored")
    with pytest.raises(UsageError, match="'cluster' with --distribution_strategy=parameter_server"):
        plan.refuse_strategy(("train", "cluster"), "parameter_server")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_reads_exact_weights_is_refused_half_precision(dtype, tmp_path):
    plan.refuse_half_precision(plan.STAGES, "float32")
    plan.refuse_half_precision(("train", "dense"), dtype)
    for stage in ("prune", "cluster", "quantize"):
        message = f"--mixed_precision_dtype {dtype}: the stage '{stage}' needs float32"
        with pytest.raises(UsageError, match=message):
            plan.refuse_half_precision(("train", stage), dtype)
        with pytest.raises(UsageError, match=message):  # before anything is trained
            sqzkit.train(
                model_dir=tmp_path / "run", stages=("train", stage), mixed_precision_dtype=dtype
            )
    assert not (tmp_path / "run").exists()


def test_pruning_at_once_is_recorded_and_gradual_pruning_is_as_before():
    assert "prune_schedule" not in CompressionConfig().stage_record("prune")
    once = CompressionConfig(prune_schedule="once")
    assert once.stage_record("prune")["prune_schedule"] == "once"
    with pytest.raises(UsageError, match="--prune_schedule 'never': must be one of gradual, once"):
        CompressionConfig(prune_schedule="never")


@pytest.mark.parametrize(
    ("steps", "epochs"),
    [(38, (40, 4, 8, 6)), (5000, (40, 4, 8, 6)), (13, (117, 12, 24, 18)), (1, (160, 16, 32, 24))],
)
def test_epochs_of_few_steps_are_more(steps, epochs):
    """As many steps as on a set on which the defaults hold; of a handful, four times at most."""
    config = CompressionConfig()
    stages = ("prune", "dense", "cluster", "quantize")
    assert tuple(config.epochs(stage, steps) for stage in stages) == epochs
    asked = CompressionConfig(prune_epochs=7)
    assert (asked.epochs("prune", steps), asked.epochs("cluster", steps)) == (7, epochs[2])
