/* SPDX-License-Identifier: MIT */
/* Child processes. By posix_spawn(): the child shares the parent's memory until its exec and runs
 * no code of the program in it, so that it does not matter what the parent's other threads are in
 * the middle of. A fork server would do as well, but is one more process, and must be there before
 * the first thread. */
#ifndef THRUM_PROCESS_SPAWN_H
#define THRUM_PROCESS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct thrum__child {
    pid_t pid;
    int pidfd; /* readable when it has ended; -1: the system has none, or it is reaped */
    bool group; /* it leads a process group, which ends with it */
} thrum__child;

typedef struct thrum__spawn {
    const char *path; /* NULL: this program */
    char *const *argv;
    char *const *environment; /* NULL: as here now, which no other thread may change meanwhile */
    const char *variable;     /* "NAME=value", one more in its environment; NULL: none */
    const int *keep;      /* descriptors that it gets, under the same numbers */
    int n_keep;
    int output; /* its stdout and stderr; -1: as here */
    const int *streams; /* its stdout and its stderr; NULL: as above */
    bool group;         /* it leads a process group, so that what it starts is killed with it */
} thrum__spawn;

/* Returns a copy of the environment, to be freed with thrum__spawn_free_texts(); NULL without
 * memory. */
char **thrum__spawn_environment(void);

/* Returns a copy of `texts`, which end with NULL; the same. */
char **thrum__spawn_texts(char *const *texts);
void thrum__spawn_free_texts(char **texts);

/* Returns where the program `name` lies, as execvp() would find it from here, to be freed; NULL
 * with errno: it is not there, or no program. */
char *thrum__spawn_find(const char *name);

/* Returns `fd`, or in its place one above stdin, stdout and stderr, close-on-exec: a child that has
 * none of these must not take it for one. Returns -1 with errno, and `fd` is closed, if there is
 * none; -1 for -1. */
int thrum__spawn_above(int fd);

/* Starts a child: all signals as at a program's start, none blocked. Returns 0 or a negative errno.
 * Any thread. */
int thrum__spawn_child(thrum__child *child, const thrum__spawn *how);

/* Looks whether the child has ended; with `wait` waits for that. Returns whether it has, with the
 * status of waitpid() in `*status`, -1 if somebody else has asked for it, and lets go of what is
 * left of it. */
bool thrum__spawn_reap(thrum__child *child, bool wait, int *status);

/* Sends a signal to a child; one that is not there any more does not mind. Returns 0 or a negative
 * errno. */
int thrum__spawn_kill(const thrum__child *child, int signal);

/* Writes how a child ended, for a message: "was killed by signal 9 (Killed)". */
void thrum__spawn_end_text(int status, char *text, size_t size);

#endif
