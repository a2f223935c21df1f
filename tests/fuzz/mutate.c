/* SPDX-License-Identifier: MIT */
/* Calls a fuzz target where there is no libFuzzer: with valid frames, and these with bytes changed,
 * cut off, and appended. Usage: mutate [-runs=N] [-seed=N], as libFuzzer's own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/call.h"
#include "process/frame.h"
#include "process/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 1;

static uint32_t draw(uint32_t n) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % n);
}

static void mutate(uint8_t *bytes, size_t n) {
    static const uint64_t odd[] = {0, 1, 7, 255, 65536, INT64_MAX, UINT64_MAX, UINT32_MAX};
    for (uint32_t changes = draw(4); changes > 0; changes--) {
        uint32_t at = draw((uint32_t)n - 8);
        if (draw(2))
            bytes[at] = (uint8_t)draw(256);
        else
            memcpy(bytes + at, &odd[draw(8)], (size_t)1 << draw(4));
    }
}

/* Calls with and without arguments in them, an initializer, and what pack() of two things has
 * added. */
static bool put_calls(thrum__buffer *to) {
    static const uint64_t packed[] = {6, 0, UINT64_C(0x006f6c6c6568), 0, /* "hello" and "abc" */
                                      3, 0, UINT64_C(0x636261), 0};
    thrum__errand call = {.function = {77, THRUM__BUILD_NOTE, {1, 2, 3}}, .args_size = 24,
                        .result_size = 8, .n_refs = 2,
                        .refs = {{3, 64, 8}, {4, 0, THRUM__CALL_RESULT}}};
    bool done = thrum__errand_put(to, THRUM__CALL_FUNCTION, 4, &call, "23 bytes and a zero, ok");
    call.refs[0].where = THRUM__CALL_ARGS;
    done = done && thrum__errand_put(to, 1, 5, &call, NULL) &&
           thrum__setup_put(to, &call.function, "argument", 9);
    return done && thrum__frame_put(to, THRUM__FRAME_TASK, 0, 6, packed, sizeof packed);
}

int main(int argc, char **argv) {
    uint64_t runs = 200000;
    thrum__buffer valid = {0};
    thrum__table table;
    for (int i = 1; i < argc; i++)
        if (sscanf(argv[i], "-runs=%" SCNu64, &runs) != 1)
            (void)sscanf(argv[i], "-seed=%" SCNu64, &seed);
    if (thrum__table_make(&table) != 0 || !thrum__table_put(&valid, &table, 1) ||
        !thrum__frame_put_failure(&valid, THRUM__FRAME_FAILURE, 2,
                                  &(thrum_failure){.code = -5, .message = "message", .line = 3,
                                                   .file = "file.c", .thread = "thread",
                                                   .task = "task"}) ||
        !thrum__frame_put(&valid, THRUM__FRAME_RESULT, 0, 3, "result", 7) || !put_calls(&valid))
        return 1;
    size_t n = thrum__buffer_size(&valid);
    uint8_t *bytes = malloc(n);
    for (uint64_t i = 0; bytes && i < runs; i++) {
        memcpy(bytes, valid.data, n);
        mutate(bytes, n);
        LLVMFuzzerTestOneInput(bytes, draw(4) ? n : draw((uint32_t)n));
    }
    printf("%" PRIu64 " runs\n", runs);
    free(bytes);
    thrum__buffer_free(&valid);
    thrum__table_free(&table);
    return 0;
}
