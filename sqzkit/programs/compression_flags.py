"""The flags of the compression stages and the configuration they make; light."""

from absl import flags

from sqzkit.compression.plan import (
    CODEBOOKS,
    EPOCHS,
    PRUNE_SCHEDULES,
    RATES,
    STAGES,
    CompressionConfig,
)

_STAGES = flags.DEFINE_list(
    "stages", ["train"], f"What to run, in this order: {', '.join(STAGES)}. Finished ones are kept."
)
_TARGET_SPARSITY = flags.DEFINE_string(
    "target_sparsity",
    "lamp:0.92",
    "Share of zeros after the stage prune: one number, a table by layer "
    "('0.6,fire*/expand3x3=0.9,conv10=0.8'), or one over all layers together, shared out by the "
    "size of the weights ('lamp:0.9') or by a sensitivity scan ('scan:0.8').",
)
_NUMBER_OF_CLUSTERS = flags.DEFINE_string(
    "number_of_clusters",
    "16",
    "Distinct values of a kernel after the stage cluster, zero included: one number, or a table "
    "by layer ('16,conv1=64'); 0 leaves a layer as it is.",
)
_CODEBOOK = flags.DEFINE_enum(
    "codebook",
    "linear",
    CODEBOOKS,
    "How the shared values are initialised; 'uniform' keeps them at equal steps, 'lloyd' fixes "
    "which weights share one before the training.",
)
_PRUNE_SCHEDULE = flags.DEFINE_enum(
    "prune_schedule",
    "gradual",
    PRUNE_SCHEDULES,
    "Prune during the first part of the stage, or at once before it.",
)
_EPOCHS = {
    stage: flags.DEFINE_integer(f"{stage}_epochs", epochs, f"Epochs of the stage {stage}.")
    for stage, epochs in EPOCHS.items()
}
_RATES = {
    stage: flags.DEFINE_float(
        f"{stage}_learning_rate", rate, f"First learning rate of the stage {stage}."
    )
    for stage, rate in RATES.items()
}
_DISTILLATION = flags.DEFINE_float(
    "distillation",
    0.5,
    "Share of the stages' loss that is the trained network's answers instead of the labels, 0..1.",
)
_SCAN_EXAMPLES = flags.DEFINE_integer(
    "scan_examples", 512, "Training images on which a sensitivity scan measures the loss."
)


def compression_config_from_flags() -> CompressionConfig:
    """Return the configuration; raise `UsageError` if a flag has no legal value."""
    return CompressionConfig(
        stages=tuple(_STAGES.value),
        target_sparsity=_TARGET_SPARSITY.value,
        number_of_clusters=_NUMBER_OF_CLUSTERS.value,
        codebook=_CODEBOOK.value,
        prune_schedule=_PRUNE_SCHEDULE.value,
        epochs={stage: flag.value for stage, flag in _EPOCHS.items()},
        learning_rate={stage: flag.value for stage, flag in _RATES.items()},
        distillation=_DISTILLATION.value,
        scan_examples=_SCAN_EXAMPLES.value,
    )
