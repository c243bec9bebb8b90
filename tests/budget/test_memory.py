from ai_edge_litert.interpreter import Interpreter, OpResolverType

from sqzkit.budget import memory
from sqzkit.budget.memory import Lifetime
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.preprocessing import default
from sqzkit.tflite.flatbuffer import TFLiteFile

LABELS = ("a", "b", "c", "d", "e")


def span(content, model):
    """The bytes between the first and the last activation of the interpreter's own kernels."""
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    numbers = {*model.inputs, *(n for operator in model.operators for n in operator.outputs)}
    views = [interpreter.tensor(number)() for number in numbers]
    first = min(view.ctypes.data for view in views)
    return max(view.ctypes.data + view.nbytes for view in views) - first


def test_the_arena_is_the_interpreters_own(small_network, noise_images):
    options = ConversionOptions(granularity="per_tensor")
    content = convert_model(small_network, default(32), LABELS, options, noise_images)
    model = TFLiteFile(content)
    assert memory.arena_bytes(model) == span(content, model)


def test_pieces_that_live_at_different_times_share_their_place():
    first, later, both = Lifetime(64, 0, 1), Lifetime(64, 2, 3), Lifetime(64, 1, 2)
    assert memory.plan([first, later]) == 64
    assert memory.plan([first, both]) == 128
    assert memory.plan([first, later, both]) == 128


def test_a_piece_takes_the_smallest_gap_that_holds_it():
    # 320 and 256 bytes die between others that stay. Were 200 bytes put into the larger gap, 130
    # would need the smaller one, and 128 would fit nowhere.
    before = [
        Lifetime(size, 0, 1 if size in (320, 256) else 9) for size in (400, 320, 300, 256, 250)
    ]
    after = [Lifetime(200, 2, 3), Lifetime(130, 2, 3), Lifetime(128, 2, 3)]
    assert memory.plan([*before, *after]) == memory.plan(before)


def test_offsets_are_aligned():
    assert memory.plan([Lifetime(65, 0, 1), Lifetime(10, 0, 1)]) == 128 + 10
