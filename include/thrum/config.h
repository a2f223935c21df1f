/* SPDX-License-Identifier: MIT */
/* What every thrum header needs: visibility, attributes, version. */
#ifndef THRUM_CONFIG_H
#define THRUM_CONFIG_H

#define THRUM_VERSION_MAJOR 0
#define THRUM_VERSION_MINOR 1
#define THRUM_VERSION_PATCH 0
/* The version of the headers as one number: 0.1.0 is 100. */
#define THRUM_VERSION                                                                              \
    (THRUM_VERSION_MAJOR * 10000 + THRUM_VERSION_MINOR * 100 + THRUM_VERSION_PATCH)

#if defined(__GNUC__)
#define THRUM_API __attribute__((visibility("default")))
#define THRUM_NODISCARD __attribute__((warn_unused_result))
#define THRUM_PRINTF(at, first) __attribute__((__format__(__printf__, at, first)))
#define THRUM__LIKELY(x) __builtin_expect(!!(x), 1)
#define THRUM__UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#error "thrum needs a compiler that understands GNU C (gcc or clang)"
#endif

#ifdef __cplusplus
#define THRUM__BEGIN extern "C" {
#define THRUM__END }
#else
#define THRUM__BEGIN
#define THRUM__END
#endif

THRUM__BEGIN
/* Returns THRUM_VERSION of the library that is linked (the headers may be older or newer).
 * Cannot fail; any thread. */
THRUM_API int thrum_version(void);
THRUM__END

#endif
