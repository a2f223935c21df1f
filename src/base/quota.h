/* SPDX-License-Identifier: MIT */
/* How many CPUs this process may use. */
#ifndef THRUM_BASE_QUOTA_H
#define THRUM_BASE_QUOTA_H

/* Returns the tightest CPU quota of the process's cgroups (v1 and v2, its own and their ancestors)
 * in CPUs, rounded up; 0 when there is none. `root` stands before every path that is read: "" but
 * for tests. */
int thrum__quota_cpus(const char *root);

/* Returns how many workers a pool has by default: THRUM_MAX_WORKERS, or the affinity and the
 * quota. */
int thrum__quota_workers(void);

#endif
