# SPDX-License-Identifier: MIT
"""Run tests of Twisted by its own runner and write the outcome of each as JSON.

Usage: twisted_suite.py OUT MODULE..."""

import json
import os
import sys
import tempfile

from twisted.trial import reporter, runner


class Outcomes(reporter.MinimalReporter):
    """Keeps one word for each test."""

    words = {}

    def keep(self, test, word):
        if self.words.get(test.id(), 'ok') == 'ok':
            self.words[test.id()] = word

    def addSuccess(self, test):
        super().addSuccess(test)
        self.keep(test, 'ok')

    def addError(self, test, error):
        super().addError(test, error)
        self.keep(test, 'error')

    def addFailure(self, test, fail):
        super().addFailure(test, fail)
        self.keep(test, 'FAIL')

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.keep(test, 'skipped')


def main(out, *modules):
    out = os.path.abspath(out)
    suite = runner.TestLoader().loadByNames(list(modules), recurse=True)
    with tempfile.TemporaryDirectory() as folder:
        runner.TrialRunner(Outcomes, workingDirectory=os.path.join(folder, 'trial')).run(suite)
        os.chdir('/')
    thrum = sys.modules.get('thrum')
    with open(out, 'w', encoding='utf-8') as file:
        json.dump({'tests': Outcomes.words, 'made': thrum.made() if thrum else {}}, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
