/* SPDX-License-Identifier: MIT */
/* A library that a program may load: what stands in it lies where nobody knows before. */
int plugin_triple(const void *arg, void *result);

#ifdef PLUGIN_MORE
int plugin_more(void);

int plugin_more(void) { return PLUGIN_MORE; }
#endif

int plugin_triple(const void *arg, void *result) {
    *(int *)result = 3 * *(const int *)arg;
    return 0;
}
