"""What Bazel 4.2's own packages load from rules_cc, by its built-in rules: nothing is fetched."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
objc_import = native.objc_import
objc_library = native.objc_library

def cc_flags_supplier(**_):
    """Only C++ make variables need it."""

def compiler_flag(**arguments):
    """A name that conditions refer to.

    Args:
      **arguments: of the rule; only its name counts here.
    """
    native.filegroup(name = arguments["name"])
