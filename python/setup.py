# SPDX-License-Identifier: MIT
"""The core's sources are compiled in: those of the checkout, or their copy in a source distribution."""

import glob
import os
import shutil

from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = os.path.dirname(os.path.abspath(__file__))
os.chdir(HERE)
COPY = 'core'
CORE = COPY if os.path.isdir(COPY) else os.pardir


class WithCore(sdist):
    """A source distribution takes the core along."""

    def make_release_tree(self, base_dir, files):
        own = [file for file in files if not file.startswith(os.pardir)]
        super().make_release_tree(base_dir, own)
        for folder in ('src', 'include'):
            target = os.path.join(base_dir, COPY, folder)
            if not os.path.isdir(target):
                shutil.copytree(os.path.join(CORE, folder), target)
        shutil.copytree('src', os.path.join(base_dir, 'src'), dirs_exist_ok=True)
        shutil.copy(os.path.join(CORE, 'LICENSE') if CORE == os.pardir else 'LICENSE', base_dir)


class WithHeaders(build_py):
    """A package takes the headers along: see thrum.native.get_include()."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(os.path.join(CORE, 'include'),
                            os.path.join(self.build_lib, 'thrum', 'include'), dirs_exist_ok=True)


setup(
    cmdclass={'sdist': WithCore, 'build_py': WithHeaders},
    ext_modules=[Extension(
        'thrum._thrum',
        sources=sorted(glob.glob('src/*.c')) + sorted(glob.glob(f'{CORE}/src/*/*.c')),
        include_dirs=[f'{CORE}/include', f'{CORE}/src'],
        define_macros=[('_GNU_SOURCE', None)],
        extra_compile_args=['-std=gnu11', '-O2', '-fvisibility=hidden', '-fno-semantic-interposition',
                            '-ftls-model=initial-exec', '-fexceptions'],
        extra_link_args=['-pthread', '-ldl', '-Wl,-z,nodelete', '-Wl,-Bsymbolic',
                         '-Wl,--version-script=src/exports.map',
                         f'-Wl,--version-script={CORE}/src/thrum.map'],
        depends=['src/exports.map'] + glob.glob('src/*.h'),
    )],
)
