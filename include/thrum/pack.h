/* SPDX-License-Identifier: MIT */
/* Pack: how the parameters of a typed task that are pointers travel to another process.
 *
 *     THRUM_TASK(int, count, (const char *, text), (char, c)) { ... }
 *
 *     static int pack_count(const void *args, thrum_pack *to) {
 *         const THRUM_TASK_ARGS(count) *it = args;
 *         thrum_pack_text(to, it->text);
 *         return 0;
 *     }
 *     static int unpack_count(void *args, thrum_unpack *from) {
 *         THRUM_TASK_ARGS(count) *it = args;
 *         it->text = thrum_unpack_text(from);
 *         return 0;
 *     }
 *     THRUM_TASK_PACK(count, pack_count, unpack_count)
 *
 *     rc = count_submit(processes, &f, "as on threads", 's');
 *
 * pack() is called by the submit, or by name_start_process() (thrum/process.h), in its thread,
 * twice: first to count, then to write, and must do the same both times. What it packs is copied by
 * that call: the caller may let go of it afterwards. unpack() is called in the worker, in the task,
 * with a copy of the arguments in which pointers are NULL, or those into memory of thrum/shared.h
 * what they are there; it takes what was packed in the same order. What it gets belongs to the
 * library, is aligned as malloc() does it, may be written to, and lives until the task has returned
 * (in a process of name_start_process(): until its end): nobody frees it, and what it allocates
 * itself nobody frees either. Neither is called on threads, where pointers are what they are, and
 * must be so until the task is done. Results are not packed.
 *
 * A negative code of pack() is what the submit, or the start, returns. One of unpack(), or
 * thrum_raise() there, fails the task, and only that; so does -EPROTO: it took something else than
 * was packed, or not all. */
#ifndef THRUM_PACK_H
#define THRUM_PACK_H

#include <stddef.h>
#include <thrum/config.h>
#include <thrum/task.h>

THRUM__BEGIN

/* What goes, and what has come. Belong to the library, for one call. */
typedef struct thrum_pack thrum_pack;
typedef struct thrum_unpack thrum_unpack;

/* Add `size` bytes, or a text with its zero; NULL stays NULL. What does not fit into memory makes
 * the submit, or the start, fail with -ENOMEM. In pack(). */
THRUM_API void thrum_pack_bytes(thrum_pack *to, const void *bytes, size_t size);
THRUM_API void thrum_pack_text(thrum_pack *to, const char *text);

/* Return what was packed next, and its size in `*size` unless that is NULL; NULL if that was NULL,
 * or is not there: then the task fails, whatever unpack() returns. In unpack(). */
THRUM_API void *thrum_unpack_bytes(thrum_unpack *from, size_t *size);
THRUM_API char *thrum_unpack_text(thrum_unpack *from);

THRUM__END

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

/* The struct whose members are the parameters of a task. */
#define THRUM_TASK_ARGS(name) struct name##__args

/* Says how the parameters of the task `name`, which was made above in this file, travel. */
#define THRUM_TASK_PACK(name, pack, unpack)                                                        \
    static const thrum_task_packing name##__packing = {pack, unpack};

#endif

#endif
