# SPDX-License-Identifier: MIT
"""An rlock: a method that holds it calls another one that takes it too."""
import logging
import threading


class Account:
    def __init__(self):
        self.balance = 0
        self._rlock = threading.RLock()

    def deposit(self, amount):
        with self._rlock:
            self.balance += amount

    def deposit_twice(self, name, amount):
        with self._rlock:
            logging.info('Thread %d: first deposit, balance was %d', name, self.balance)
            self.deposit(amount)
            logging.info('Thread %d: second deposit, balance was %d', name, self.balance)
            self.deposit(amount)

    def is_free(self):
        free = self._rlock.acquire(blocking=False)
        if free:
            self._rlock.release()
        return free


def saver(name, account):
    logging.info('Thread %d: starting', name)
    account.deposit_twice(name, 10)
    logging.info('Thread %d: finishing', name)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    account = Account()
    threads = [threading.Thread(target=saver, args=(name, account)) for name in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.info('Main    : balance is %d, rlock is %s', account.balance,
                 'free' if account.is_free() else 'held')
