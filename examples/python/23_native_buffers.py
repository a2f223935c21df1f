# SPDX-License-Identifier: MIT
"""Native tasks work in place on what Python has: buffers, and errors that come back."""
import array
import logging
import sys

import thrum.native


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    lib = thrum.native.load(sys.argv[1])
    logging.info('Main    : %s', lib.blur.__doc__)
    image = array.array('f', [0, 0, 9, 0, 0])
    out = array.array('f', bytes(4 * len(image)))
    future = lib.blur.submit(image, out, n=len(image))
    logging.info('Main    : %d pixels: %s', future.result(), list(out))
    for call in (lambda: lib.blur(image, out, 1), lambda: lib.blur(image, bytes(20), 5),
                 lambda: lib.blur(image, out, 5.0), lambda: lib.blur(image)):
        try:
            call()
        except (TypeError, ValueError) as error:
            logging.info('Main    : %s: %s', type(error).__name__, error)
