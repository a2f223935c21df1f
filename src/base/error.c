/* SPDX-License-Identifier: MIT */
#include <thrum/error.h>

#include <limits.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} table[] = {
#define THRUM_ERROR(code, text, exception) {code, text},
#include <thrum/errors.def>
#undef THRUM_ERROR
};

const char *thrum_strerror(int code) {
    int positive = code < 0 && code != INT_MIN ? -code : code;
    if (positive == 0)
        return "success";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == positive)
            return table[i].text;
    return strerror(positive);
}

int thrum_version(void) { return THRUM_VERSION; }
