/* SPDX-License-Identifier: MIT */
/* Tests written once, run over two implementations: concept_<name>.h holds them,
 * tests/spec/<name>.c runs them with threads, tests/spec/shared_<name>.c with processes, after
 * #define CONCEPT_PROCESSES. Each has its state `c` in memory that the whole team sees. */
#ifndef THRUM_TESTS_CONCEPT_H
#define THRUM_TESTS_CONCEPT_H

#include <string.h>

#include "spec.h"

#ifdef CONCEPT_PROCESSES
#include "processes.h"
typedef spec_processes concept_team;
#define concept_begin spec_needs_processes
#define concept_start spec_processes_start
#define concept_join spec_processes_join
/* For processes, `c->came` counts those that are about to wait. */
#define concept_until_waiting(object, team, n)                                                     \
    do {                                                                                           \
        while (__atomic_load_n(&c->came, __ATOMIC_RELAXED) < (n))                                  \
            spec_yield();                                                                          \
        spec_until_asleep(team, n);                                                                \
    } while (0)
#define concept_comes() __atomic_fetch_add(&c->came, 1, __ATOMIC_RELAXED)
#define CONCEPT_MEMORY(type)                                                                       \
    static type *concept_memory(void) {                                                            \
        static type *memory;                                                                       \
        if (!memory)                                                                               \
            memory = spec_shared_memory(sizeof *memory);                                           \
        return memory;                                                                             \
    }
#else
typedef spec_team concept_team;
#define concept_begin() ((void)0)
#define concept_start spec_team_start
#define concept_join spec_team_join
#define concept_until_waiting(object, team, n) spec_until_waiting(object, n)
#define concept_comes() ((void)0)
#define CONCEPT_MEMORY(type)                                                                       \
    static type *concept_memory(void) {                                                            \
        static type memory;                                                                        \
        return &memory;                                                                            \
    }
#endif

/* Runs fn(arg) in a thread or process of its own, to its end. */
static inline void concept_run(void *(*fn)(void *), void *arg) {
    concept_team team = {.n = 0};
    concept_start(&team, 1, fn, arg);
    concept_join(&team);
}

#endif
