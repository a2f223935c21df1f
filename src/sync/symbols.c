/* SPDX-License-Identifier: MIT */
/* The inline functions as symbols, for THRUM_NO_INLINE, other languages and function pointers. */
#define THRUM__SYMBOLS
#include <thrum/inline.h>
