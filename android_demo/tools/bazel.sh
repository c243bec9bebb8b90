#!/bin/bash
# Debian's bazel-bootstrap (4.2) without a network for Bazel itself:
#   apt install bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-platforms
#   android_demo/tools/bazel.sh build //android_demo:apk
#   android_demo/tools/bazel.sh test //android_demo:apk_test //:unit_tests
# Other Bazels, 4.2 to 7, need no script: bazel build //android_demo:apk
set -euo pipefail
here=$(cd "$(dirname "$0")/bazel" && pwd)
system=/usr/share/bazel
command=$1
shift
python=()
if [[ $command == test && -x $here/../../../.venv/bin/python ]]; then
  python=("--test_env=SQZKIT_PYTHON=$(cd "$here/../../.." && pwd)/.venv/bin/python")
fi
# BAZEL_STARTUP holds options that come before the command, such as --output_user_root=FOLDER.
exec bazel ${BAZEL_STARTUP:-} "$command" \
  --nosandbox_debug --override_repository=rules_cc="$here/rules_cc" \
  --override_repository=remote_coverage_tools="$here/coverage" \
  --override_repository=rules_java=$system/rules/java \
  --override_repository=rules_proto=$system/rules/proto \
  --override_repository=platforms=$system/tools/platforms \
  "${python[@]}" "$@"
