# SPDX-License-Identifier: MIT
"""Run the tests of one module and write the outcome of each as JSON.

Usage: suite.py OUT MODULE [PATTERN...]

With patterns, only those tests whose names match one of them."""

import json
import sys
import unittest


class Outcomes(unittest.TextTestResult):
    """Keeps one word for each test."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.words = {}

    def keep(self, test, word):
        if not isinstance(test, unittest.TestCase):
            word, test = 'error', unittest.FunctionTestCase(int, description=str(test))
        if self.words.get(test.id(), 'ok') == 'ok':
            self.words[test.id()] = word

    def addSuccess(self, test):
        super().addSuccess(test)
        self.keep(test, 'ok')

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.keep(test, 'FAIL')

    def addError(self, test, err):
        super().addError(test, err)
        self.keep(test, 'error')

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.keep(test, 'skipped')

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.keep(test, 'FAIL')


def main(out, module, *patterns):
    loader = unittest.TestLoader()
    loader.testNamePatterns = list(patterns) or None
    suite = loader.loadTestsFromName(module)
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Outcomes).run(suite)
    thrum = sys.modules.get('thrum')
    made = thrum.made() if thrum else {}
    with open(out, 'w', encoding='utf-8') as file:
        json.dump({'tests': result.words, 'made': made}, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
