"""Build of the native engine; everything else is in pyproject.toml."""

import os
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

SANITIZE = os.environ.get("HASHRET_SANITIZE")  # for example "address,undefined"
WERROR = os.environ.get("HASHRET_WERROR") == "1"
# The limited API and the free-threaded build exclude each other.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

# The generated file sets this off; none is ours to mend.
GENERATED = ["-Wno-unused-function", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]


def compile_args() -> list[str]:
    if sys.platform == "win32":
        return ["/std:c11", "/O2"] + (["/WX"] if WERROR else [])
    # Without fused multiply-add, distances of ranking rules are the same on every machine.
    args = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]
    args += GENERATED
    if WERROR:
        args.append("-Werror")
    if SANITIZE:
        args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-g", "-O1"]
    return args


def link_args() -> list[str]:
    return [f"-fsanitize={SANITIZE}"] if SANITIZE and sys.platform != "win32" else []


def macros() -> list[tuple[str, str | None]]:
    return [("Py_LIMITED_API", "0x030B0000"), ("CYTHON_LIMITED_API", "1")] if ABI3 else []


class Abi3Wheel(bdist_wheel):
    """Tags the wheel for every CPython from 3.11 on."""

    def finalize_options(self) -> None:
        if ABI3:
            self.py_limited_api = "cp311"
        super().finalize_options()


setup(
    ext_modules=[
        Extension(
            "hashret._native",
            sources=["hashret/_native.pyx", *sorted(glob("csrc/*/*.c"))],
            depends=["hashret/_native.pxd", "csrc/hashret.h", *glob("csrc/*/*.h")],
            include_dirs=["csrc"],
            define_macros=macros(),
            extra_compile_args=compile_args(),
            extra_link_args=link_args(),
            py_limited_api=ABI3,
        )
    ],
    cmdclass={"bdist_wheel": Abi3Wheel},
)
