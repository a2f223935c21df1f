# SPDX-License-Identifier: MIT
from thrum._run import main

main()
