/* SPDX-License-Identifier: MIT */
#ifndef THRUM_TESTS_ENTRIES_H
#define THRUM_TESTS_ENTRIES_H

#include <dirent.h>

/* Returns how many entries `directory` has, with "." and ".."; 0: there is none. */
static inline int entries(const char *directory) {
    int n = 0;
    DIR *all = opendir(directory);
    while (all && readdir(all))
        n++;
    if (all)
        closedir(all);
    return n;
}

#endif
