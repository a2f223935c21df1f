# SPDX-License-Identifier: MIT
from thrum._run import main

if __name__ == '__main__':
    main()
