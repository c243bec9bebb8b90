"""The jars and AARs of android_demo/app/pom.xml as @android_deps: Maven fetches and checks them."""

def _impl(repository):
    app = repository.path(repository.attr.pom)
    folder = repository.path("deps")
    result = repository.execute(
        [
            "mvn",
            "-B",
            "-q",
            "-ntp",
            "-f",
            str(app),
            "-DskipTests",
            "-Ddeps=" + str(folder),
            "initialize",
        ],
        timeout = 1200,
    )
    if result.return_code != 0:
        fail("Maven cannot fetch the Android libraries:\n" + result.stdout + result.stderr)
    repository.symlink(repository.path(Label("//android_demo:deps.BUILD")), "BUILD")

android_deps = repository_rule(
    attrs = {"pom": attr.label(default = "//android_demo:app/pom.xml")},
    doc = "Every jar and AAR that the APK is built from and with.",
    implementation = _impl,
)
