/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/backend.h"

/* In a frame HELLO: this; then for each task its hash and the size of its name with the zero; then
 * the names. */
typedef struct fixed {
    uint64_t hash, n;
} fixed;

typedef struct entry {
    uint64_t hash, name_size;
} entry;

static uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    for (const unsigned char *at = bytes; n > 0; n--, at++)
        hash = (hash ^ *at) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text) {
    return mix(hash, text, strlen(text) + 1);
}

static uint64_t mix_number(uint64_t hash, uint64_t number) {
    return mix(hash, &number, sizeof number);
}

static const uint64_t BASIS = UINT64_C(14695981039346656037);

static uint64_t hash_of(const thrum_task_type *type) {
    uint64_t hash = mix_text(mix_text(BASIS, type->name), type->result_type);
    hash = mix_number(mix_number(hash, type->result_size), type->args_size);
    hash = mix_number(hash, thrum__pack_has(type));
    for (size_t i = 0; i < type->n_parameters; i++) {
        hash = mix_text(hash, type->parameters[i].type);
        hash = mix_number(hash, type->parameters[i].offset);
        hash = mix_number(hash, type->parameters[i].size);
    }
    return hash;
}

static int by_name(const void *a, const void *b) {
    const thrum_task_type *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    uint64_t of_x = order ? 0 : hash_of(*x), of_y = order ? 0 : hash_of(*y);
    return order ? order : (of_x > of_y) - (of_x < of_y);
}

static int fill(thrum__table *table) {
    table->hashes = malloc((table->n + 1) * sizeof *table->hashes);
    if (!table->hashes) {
        thrum__table_free(table);
        return -ENOMEM;
    }
    if (table->n > 1)
        qsort(table->types, table->n, sizeof *table->types, by_name);
    table->hash = BASIS;
    for (uint32_t i = 0; i < table->n; i++) {
        table->hashes[i] = hash_of(table->types[i]);
        table->hash = mix_number(table->hash, table->hashes[i]);
    }
    return 0;
}

int thrum__table_of(thrum__table *table, const thrum_task_type *const *types, uint32_t n) {
    *table = (thrum__table){.types = malloc((n + 1) * sizeof *table->types), .n = n};
    if (!table->types)
        return -ENOMEM;
    if (n)
        memcpy(table->types, types, n * sizeof *types);
    return fill(table);
}

int thrum__table_make(thrum__table *table) {
    *table = (thrum__table){0};
    for (int room = 64;; room *= 2) {
        const thrum_task_type **types = malloc((size_t)room * sizeof *types);
        if (!types)
            return -ENOMEM;
        int n = thrum_task_enumerate(types, room);
        if (n <= room) {
            table->types = types;
            table->n = (uint32_t)n;
            return fill(table);
        }
        free(types);
    }
}

void thrum__table_free(thrum__table *table) {
    free(table->types);
    free(table->hashes);
    *table = (thrum__table){0};
}

int64_t thrum__table_index(const thrum__table *table, const thrum_task_type *type) {
    uint32_t low = 0, high = table->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(table->types[middle]->name, type->name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->n || strcmp(table->types[low]->name, type->name) != 0)
        return -ENOENT;
    if (low + 1 < table->n && strcmp(table->types[low + 1]->name, type->name) == 0)
        return -EEXIST;
    return table->types[low] == type ? (int64_t)low : -ENOENT;
}

bool thrum__table_put(thrum__buffer *buffer, const thrum__table *table, uint64_t id) {
    thrum__buffer bytes = {0};
    fixed first = {table->hash, table->n};
    bool done = thrum__buffer_put(&bytes, &first, sizeof first);
    for (uint32_t i = 0; done && i < table->n; i++) {
        entry it = {table->hashes[i], strlen(table->types[i]->name) + 1};
        done = thrum__buffer_put(&bytes, &it, sizeof it);
    }
    for (uint32_t i = 0; done && i < table->n; i++)
        done = thrum__buffer_put(&bytes, table->types[i]->name, strlen(table->types[i]->name) + 1);
    done = done && thrum__frame_put(buffer, THRUM__FRAME_HELLO, 0, id, bytes.data,
                                    thrum__buffer_size(&bytes));
    thrum__buffer_free(&bytes);
    return done;
}

static int damaged(char *text, size_t size) {
    snprintf(text, size, "the worker's list of tasks is damaged");
    return -EPROTO;
}

static int differs(const thrum__table *table, const fixed *theirs, const char *name, char *text,
                   size_t size) {
    snprintf(text, size,
             "the worker has other tasks: hash %016" PRIx64 " here, %016" PRIx64
             " there; the first that differs is \"%.100s\"",
             table->hash, theirs->hash, name);
    return -EPROTO;
}

int thrum__table_compare(const thrum__table *table, const thrum__frame_view *hello, char *text,
                         size_t size) {
    fixed theirs;
    const uint8_t *at = hello->bytes + sizeof theirs, *end = hello->bytes + hello->size;
    if (hello->kind != THRUM__FRAME_HELLO || hello->size < sizeof theirs)
        return damaged(text, size);
    memcpy(&theirs, hello->bytes, sizeof theirs);
    if (theirs.n > (size_t)(end - at) / sizeof(entry))
        return damaged(text, size);
    const uint8_t *name = at + theirs.n * sizeof(entry);
    for (uint64_t i = 0; i < theirs.n; i++, at += sizeof(entry)) {
        entry it;
        memcpy(&it, at, sizeof it);
        if (it.name_size == 0 || it.name_size > (size_t)(end - name) ||
            memchr(name, 0, (size_t)it.name_size) != name + it.name_size - 1)
            return damaged(text, size);
        const char *mine = i < table->n ? table->types[i]->name : NULL, *its = (const char *)name;
        if (!mine || strcmp(mine, its) != 0 || table->hashes[i] != it.hash)
            return differs(table, &theirs, mine && strcmp(mine, its) < 0 ? mine : its, text, size);
        name += it.name_size;
    }
    if (theirs.n < table->n)
        return differs(table, &theirs, table->types[theirs.n]->name, text, size);
    return name == end && theirs.hash == table->hash ? 0 : damaged(text, size);
}
