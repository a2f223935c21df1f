/* SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/panic.h"

enum { PATH_SIZE = 4096, LINE_SIZE = 2 * PATH_SIZE, WORKERS_MAX = 16384 };

int thrum__quota_workers(void) { return thrum__cpu_allowed(); }
int thrum__quota_cpus(const char *root) { (void)root; return 0; }
