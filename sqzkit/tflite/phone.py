"""Which operators the TensorFlow Lite of phones knows.

2.16.1 is the last `org.tensorflow:tensorflow-lite`; a converter of a later
TensorFlow may write newer versions of operators. The versions were measured:
a file of each operator in each version, given to that library.
"""

from sqzkit.tflite.flatbuffer import TFLiteFile

LIBRARY = "TensorFlow Lite 2.16.1"
_FIRST_ONLY = 1  # the newest version of operators that are not listed
_NEWEST = {
    version: names.split()
    for version, names in {
        11: "FULLY_CONNECTED",
        8: "CONV_2D STRIDED_SLICE",
        7: "DEPTHWISE_CONV_2D GATHER MUL",
        6: "CAST SLICE TRANSPOSE",
        5: "ABS ADD DEQUANTIZE GATHER_ND SUB TRANSPOSE_CONV",
        4: "BATCH_MATMUL BATCH_TO_SPACE_ND CONCATENATION EQUAL FILL LSTM MAXIMUM MINIMUM PACK PAD "
        "PADV2 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SELECT SPACE_TO_BATCH_ND SPLIT SVDF "
        "UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK",
        3: "ARG_MAX ARG_MIN AVERAGE_POOL_2D BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN "
        "BROADCAST_TO EMBEDDING_LOOKUP FLOOR_DIV GREATER_EQUAL LESS LOGISTIC MAX_POOL_2D MEAN "
        "MIRROR_PAD NOT_EQUAL QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 REVERSE_V2 RNN RSQRT "
        "SOFTMAX SPARSE_TO_DENSE TANH TILE TOPK_V2 UNIDIRECTIONAL_SEQUENCE_RNN",
        2: "DEPTH_TO_SPACE DIV EXP FAKE_QUANT FLOOR_MOD GELU GREATER L2_NORMALIZATION LEAKY_RELU "
        "LESS_EQUAL LOG LOG_SOFTMAX RANGE REDUCE_PROD SELECT_V2 SIGN SPACE_TO_DEPTH SPLIT_V "
        "SQUARED_DIFFERENCE SQUEEZE SUM WHERE",
    }.items()
}
_VERSIONS = {name: version for version, names in _NEWEST.items() for name in names}


def unknown_operators(model: TFLiteFile) -> list[str]:
    """Return the operators of a file that phones do not know, such as "FULLY_CONNECTED 12"."""
    found = []
    for name, version in model.operator_versions:
        unknown = name.startswith(("STABLEHLO_", "OPERATOR_"))
        if unknown or version > _VERSIONS.get(name, _FIRST_ONLY):
            found.append(f"{name} {version}")
    return found
