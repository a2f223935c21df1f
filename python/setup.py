# SPDX-License-Identifier: MIT
"""The core's sources are compiled in: those of the checkout, or their copy in a source distribution."""

import glob
import os
import shutil

from setuptools import Extension, setup
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


setup(
    cmdclass={'sdist': WithCore},
    ext_modules=[Extension(
        'thrum._thrum',
        sources=sorted(glob.glob('src/*.c')) + sorted(glob.glob(f'{CORE}/src/*/*.c')),
        include_dirs=[f'{CORE}/include', f'{CORE}/src'],
        define_macros=[('_GNU_SOURCE', None)],
        extra_compile_args=['-std=gnu11', '-O2', '-fvisibility=hidden', '-fno-semantic-interposition',
                            '-ftls-model=initial-exec', '-fexceptions'],
        extra_link_args=['-pthread', '-Wl,-z,nodelete', '-Wl,--version-script=src/exports.map'],
        depends=['src/exports.map'] + glob.glob('src/*.h'),
    )],
)
