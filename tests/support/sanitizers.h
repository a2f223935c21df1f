/* SPDX-License-Identifier: MIT */
/* The sanitizers' view of a switch of stacks; nothing where they are off. */
#ifndef THRUM_TESTS_SANITIZERS_H
#define THRUM_TESTS_SANITIZERS_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define SPEC_ASAN 1
#define asan_start_switch __sanitizer_start_switch_fiber
#define asan_finish_switch __sanitizer_finish_switch_fiber
#else
#define SPEC_ASAN 0
static inline void asan_start_switch(void **save, const void *bottom, size_t size) {
    (void)save, (void)bottom, (void)size;
}
static inline void asan_finish_switch(void *save, const void **bottom, size_t *size) {
    (void)save, (void)bottom, (void)size;
}
#endif

/* Asked by LeakSanitizer before it looks: not in child processes, which end anywhere. */
int __lsan_is_turned_off(void);

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define SPEC_TSAN 1
#define tsan_create() __tsan_create_fiber(0)
#define tsan_current() __tsan_get_current_fiber()
#define tsan_destroy(fiber) __tsan_destroy_fiber(fiber)
#define tsan_switch(fiber) __tsan_switch_to_fiber((fiber), 0)
#else
#define SPEC_TSAN 0
#define tsan_create() NULL
#define tsan_current() NULL
#define tsan_destroy(fiber) ((void)(fiber))
#define tsan_switch(fiber) ((void)(fiber))
#endif

#endif
