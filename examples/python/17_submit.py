# SPDX-License-Identifier: MIT
"""Submit with arguments: a future has the result, or the exception."""
import concurrent.futures
import logging


def power(base, exponent):
    if exponent < 0:
        raise ValueError(f'{exponent} is no exponent')
    product = base ** exponent
    logging.info('Task    : %g to the power of %d is %g', base, exponent, product)
    return product


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
        good = executor.submit(power, 2.5, exponent=4)
        bad = executor.submit(power, 2.5, exponent=-4)
        logging.info('Main    : the result is %g', good.result())
        logging.info('Main    : the other has failed: %s', bad.exception())
