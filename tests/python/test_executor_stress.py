# SPDX-License-Identifier: MIT
"""Many threads use pools at random: each call runs once, or was cancelled. Prints its seed."""

import itertools
import random
import threading
import unittest

import thrum.futures as futures
from makers import SEED
from test_executor import Pool

ROUNDS = 30


def setUpModule():
    print(f'THRUM_SEED={SEED}')


class StressTests(unittest.TestCase):
    def submitter(self, pool, seed, ran, seen):
        """Submits calls which may submit calls; `seen` gets their numbers and futures."""
        chance, number = random.Random(seed), itertools.count(seed << 20)

        def call(i, depth):
            ran.append(i)
            inner = [next(number) for _ in range(chance.randrange(4) if depth else 0)]
            made = [pool.submit(call, j, depth - 1) for j in inner]
            seen.extend(zip(inner, made))
            how = chance.randrange(4)
            if how == 0:
                futures.wait(made, timeout=600)
            elif how == 1:
                return i, [future.result()[0] for future in made] == inner
            elif how == 2:
                return i, {future.result()[0] for future in futures.as_completed(made)} == set(inner)
            return i, True

        for _ in range(chance.randrange(20)):
            i = next(number)
            future = pool.submit(call, i, chance.randrange(3))
            seen.append((i, future))
            if chance.random() < 0.3:
                future.cancel()
            if chance.random() < 0.2:
                size = chance.choice([None, 1, 3])
                assert list(pool.map(abs, range(-9, 0), buffersize=size)) == list(range(9, 0, -1))
                assert sorted(pool.imap_unordered(abs, range(-9, 0), buffersize=size)) == list(range(1, 10))

    def test_each_call_runs_once(self):
        for i in range(ROUNDS):
            chance = random.Random(SEED + i)
            pool = Pool(chance.randrange(1, 5), context=chance.random() < 0.3,
                        queue_limit=chance.choice([None, None, 1, 5]),
                        overflow=chance.choice(['block', 'caller_runs']))
            ran, seen = [], []
            threads = [threading.Thread(target=self.submitter, args=(pool, i * 10 + n, ran, seen))
                       for n in range(chance.randrange(1, 5))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            done = 0
            while done < len(seen):  # calls that run submit more
                done = len(seen)
                futures.wait([future for _, future in seen])
            pool.shutdown()
            expected = []
            for number, future in seen:
                if not future.cancelled():
                    self.assertEqual(future.result(), (number, True))
                    expected.append(number)
            self.assertEqual(sorted(ran), sorted(expected))

    def test_shutdown_at_any_moment(self):
        for i in range(ROUNDS):
            chance = random.Random(SEED + i)
            pool, ran, made = Pool(chance.randrange(1, 4), queue_limit=20), [], []

            def submit():
                for number in itertools.count():
                    try:
                        made.append(pool.submit(ran.append, number))
                    except RuntimeError:
                        return
            threads = [threading.Thread(target=submit) for _ in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(chance.randrange(100)):
                pool.submit(int).result()
            pool.shutdown(wait=chance.random() < 0.5, cancel_futures=chance.random() < 0.5)
            for thread in threads:
                thread.join()
            pool.shutdown()
            self.assertEqual(len(ran), sum(not future.cancelled() for future in made))
            self.assertTrue(all(future.done() for future in made))


if __name__ == '__main__':
    unittest.main()
