/* SPDX-License-Identifier: MIT */
/* Typed tasks: a plain function that an executor or a thread can run, with the arguments that it
 * takes.
 *
 *     THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }
 *
 *     rc = area_submit(executor, &future, 2.0, 3.5);
 *     rc = area_result(future, &value);
 *     rc = area_start(&thread, 2.0, 3.5, NULL);
 *
 * defines `static double area(double w, double h)`, whose body follows, and beside it, for 0 to 8
 * parameters,
 *
 *     int area_submit(thrum_executor *executor, thrum_future **out, double w, double h)
 *     int area_submit_with(thrum_executor *executor, thrum_future **out, double w, double h,
 *                          const thrum_task_opts *opts)
 *     int area_result(thrum_future *future, double *value)
 *     int area_result_until(thrum_future *future, thrum_deadline deadline, double *value)
 *     int area_start(thrum_thread **out, double w, double h, const thrum_thread_opts *opts)
 *     int area_start_process(thrum_process **out, double w, double h,
 *                            const thrum_process_opts *opts)
 *     const thrum_task_type area_task
 *
 * A call with the wrong number or kind of arguments does not compile, under plain `gcc -std=c11`:
 * what gcc 12 only warns of (a pointer for a number, a pointer of another type) is an error in a
 * file from its first THRUM_TASK on. Arguments and result are copied; they live in the task, and
 * die with its last handle. A type that is not a plain word or pointer, such as an array or a
 * pointer to a function, needs a typedef. With `void` for the result, area_result() and
 * area_result_until() have no `value`.
 *
 * _submit, _submit_with: as thrum_submit(), thrum_submit_with(); on a pool of processes see
 * thrum/processes.h. _result, _result_until: as
 * thrum_future_result(), _until(); -EINVAL, with a line on stderr, for the future of another task.
 * _start: as thrum_thread_start(); the result is dropped. _start_process: thrum/process.h. */
#ifndef THRUM_TASK_H
#define THRUM_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <thrum/config.h>
#include <thrum/executor.h>
#include <thrum/future.h>
#include <thrum/thread.h>
#include <thrum/time.h>

THRUM__BEGIN

struct thrum_pack;
struct thrum_unpack;
/* Of thrum/process.h. */
typedef struct thrum_process thrum_process;
typedef struct thrum_process_opts thrum_process_opts;

/* One parameter of a task: where it lies in the block of arguments. */
typedef struct thrum_task_parameter {
    const char *name;
    const char *type; /* as written */
    size_t offset;
    size_t size;
    const char *format; /* what it is to other languages, see below */
} thrum_task_parameter;

/* A format is a letter of Python's `struct` for a number: ? c b B h H i I l L q Q f d; for a
 * pointer "r" (what it points to is const) or "w", followed by such a letter, by v for void, or by
 * nothing for other types; "" for all else. */

/* How arguments travel to another process: see thrum/pack.h. */
typedef struct thrum_task_packing {
    int (*pack)(const void *args, struct thrum_pack *to);     /* NULL, as the other: as they are */
    int (*unpack)(void *args, struct thrum_unpack *from);
} thrum_task_packing;

/* What is known of a task: constant, lives as long as the program or library that has it. */
typedef struct thrum_task_type {
    const char *name;
    void (*function)(void);                       /* the function itself, to be cast */
    void (*run)(const void *args, void *result);  /* calls it; `result` may be NULL if result_size
                                                   * is 0 */
    const char *result_type;                      /* as written */
    size_t result_size;                           /* 0: void */
    size_t args_size;
    const thrum_task_parameter *parameters;
    size_t n_parameters;
    const char *result_format; /* as of a parameter; "" for void */
    const thrum_task_packing *packing; /* NULL as one of zeros: none */
} thrum_task_type;

/* Returns the task called `name`, of the program and all its libraries; NULL with errno ENOENT if
 * there is none, or EEXIST, with a line on stderr, if several are called so. A task of a static
 * library is there if anything else of its object file is used. Any thread. */
THRUM_API const thrum_task_type *thrum_task_find(const char *name);

/* Fills out[0..n) with the tasks of the program and all its libraries, in no order. Returns how
 * many there are, which may be more than n. A task goes with its library. Any thread. */
THRUM_API int thrum_task_enumerate(const thrum_task_type **out, int n);

/* What the macro stands on. */
typedef struct thrum__task_module {
    struct thrum__task_module *next;
    const thrum_task_type *const *first, *const *end;
    bool registered;
} thrum__task_module;

THRUM_API void thrum__tasks_register(thrum__task_module *module,
                                     const thrum_task_type *const *first,
                                     const thrum_task_type *const *end);
THRUM_API void thrum__tasks_unregister(thrum__task_module *module);
THRUM_API int thrum__task_submit(thrum_executor *executor, thrum_future **out,
                                 const thrum_task_type *type, const void *args);
THRUM_API int thrum__task_submit_with(thrum_executor *executor, thrum_future **out,
                                      const thrum_task_type *type, const void *args,
                                      const thrum_task_opts *opts);
THRUM_API int thrum__task_result(thrum_future *future, const thrum_task_type *type, void *value);
THRUM_API int thrum__task_result_until(thrum_future *future, const thrum_task_type *type,
                                       thrum_deadline deadline, void *value) THRUM_NODISCARD;
THRUM_API int thrum__task_start(thrum_thread **out, const thrum_task_type *type, const void *args,
                                const thrum_thread_opts *opts);
THRUM_API int thrum__task_start_process(thrum_process **out, const thrum_task_type *type,
                                        const void *args, const thrum_process_opts *opts);

THRUM__END

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

/* Makes the task `name` of a function: THRUM_TASK(result, name, (type, parameter), ...) { body } */
#define THRUM_TASK(result, ...)                                                                    \
    THRUM__TASK(result, THRUM__COUNT(__VA_ARGS__), THRUM__IF_NONE(void, __VA_ARGS__), __VA_ARGS__, )

#define THRUM__PASTE(a, b) THRUM__PASTE_(a, b)
#define THRUM__PASTE_(a, b) a##b
#define THRUM__OPEN(...) __VA_ARGS__
#define THRUM__CALL(M, ...) M(__VA_ARGS__)

/* Of (name, pairs), at most 8: how many pairs; `x` if there is none. */
#define THRUM__COUNT(...) THRUM__TENTH(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0, )
#define THRUM__IF_NONE(x, ...) THRUM__TENTH(__VA_ARGS__, , , , , , , , , x, )
#define THRUM__TENTH(name, a, b, c, d, e, f, g, h, n, ...) n

/* THRUM__REPEAT(n)(M, c, pairs,): M(c, type, parameter) for each; THRUM__LIST: with commas
 * between. */
#define THRUM__REPEAT(n) THRUM__PASTE(THRUM__REPEAT_, n)
#define THRUM__REPEAT_0(M, c, ...)
#define THRUM__REPEAT_1(M, c, p, ...) THRUM__CALL(M, c, THRUM__OPEN p)
#define THRUM__REPEAT_2(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_1(M, c, __VA_ARGS__)
#define THRUM__REPEAT_3(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_2(M, c, __VA_ARGS__)
#define THRUM__REPEAT_4(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_3(M, c, __VA_ARGS__)
#define THRUM__REPEAT_5(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_4(M, c, __VA_ARGS__)
#define THRUM__REPEAT_6(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_5(M, c, __VA_ARGS__)
#define THRUM__REPEAT_7(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_6(M, c, __VA_ARGS__)
#define THRUM__REPEAT_8(M, c, p, ...)                                                              \
    THRUM__CALL(M, c, THRUM__OPEN p) THRUM__REPEAT_7(M, c, __VA_ARGS__)
#define THRUM__LIST(n) THRUM__PASTE(THRUM__LIST_, n)
#define THRUM__LIST_0(M, c, ...)
#define THRUM__LIST_1(M, c, p, ...) THRUM__CALL(M, c, THRUM__OPEN p)
#define THRUM__LIST_2(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_1(M, c, __VA_ARGS__)
#define THRUM__LIST_3(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_2(M, c, __VA_ARGS__)
#define THRUM__LIST_4(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_3(M, c, __VA_ARGS__)
#define THRUM__LIST_5(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_4(M, c, __VA_ARGS__)
#define THRUM__LIST_6(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_5(M, c, __VA_ARGS__)
#define THRUM__LIST_7(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_6(M, c, __VA_ARGS__)
#define THRUM__LIST_8(M, c, p, ...)                                                                \
    THRUM__CALL(M, c, THRUM__OPEN p), THRUM__LIST_7(M, c, __VA_ARGS__)

#define THRUM__FIELD(c, type, name) type name;
#define THRUM__PARAMETER(c, type, name) type name
#define THRUM__NEXT_PARAMETER(c, type, name) , type name
#define THRUM__INIT(c, type, name) .name = name,
#define THRUM__FROM(c, type, name) (c)->name
#define THRUM__NEXT_FROM(c, type, name) , (c)->name
#define THRUM__DESCRIBE(c, type, name)                                                             \
    {#name, #type, offsetof(struct c, name), sizeof(type), THRUM__FORMAT(((struct c *)0)->name)},

/* See thrum_task_parameter. 5: what both compilers call a pointer. */
#define THRUM__FORMAT(x)                                                                           \
    _Generic((x), THRUM__FORMATS(THRUM__FORMAT_OF, bool, "?"), void *: "wv", const void *: "rv",   \
             default: __builtin_classify_type(x) == 5 ? "w" : "")
#define THRUM__FORMAT_OF(type, text) type: text, type *: "w" text, const type *: "r" text
#define THRUM__FORMATS(M, boolean, text)                                                           \
    M(boolean, text), M(char, "c"), M(signed char, "b"), M(unsigned char, "B"), M(short, "h"),     \
        M(unsigned short, "H"), M(int, "i"), M(unsigned, "I"), M(long, "l"),                       \
        M(unsigned long, "L"), M(long long, "q"), M(unsigned long long, "Q"), M(float, "f"),       \
        M(double, "d")

/* THRUM__IF_VOID(type)((a), (b)): a if `type` is the word void, else b. */
#define THRUM__IF_VOID(type) THRUM__PASTE(THRUM__IF_VOID_, THRUM__IS_VOID(type))
#define THRUM__IS_VOID(type) THRUM__SECOND(THRUM__IS_##type(~), 0, )
#define THRUM__IS_void(unused) unused, 1
#define THRUM__SECOND(...) THRUM__SECOND_(__VA_ARGS__)
#define THRUM__SECOND_(a, b, ...) b
#define THRUM__IF_VOID_1(a, b) THRUM__OPEN a
#define THRUM__IF_VOID_0(a, b) THRUM__OPEN b

/* What gcc 14 and clang 16 refuse by themselves is refused from here on. */
#define THRUM__STRICT                                                                              \
    _Pragma("GCC diagnostic error \"-Wint-conversion\"")                                           \
    _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")

#if defined(__has_attribute)
#if __has_attribute(retain)
#define THRUM__RETAIN __attribute__((used, retain))
#endif
#endif
#ifndef THRUM__RETAIN
#define THRUM__RETAIN __attribute__((used))
#endif

#define THRUM__HIDDEN __attribute__((weak, visibility("hidden")))

/* The struct of the arguments of `task`, and the descriptor of these. */
#define THRUM__ARGS(task, n, none, ...)                                                            \
    struct __attribute__((may_alias)) task##__args {                                               \
        THRUM__REPEAT(n)(THRUM__FIELD, , __VA_ARGS__)                                              \
        THRUM__NO_FIELD_##none                                                                     \
    };

#define THRUM__NO_FIELD_
#define THRUM__NO_FIELD_void char thrum__none;
#define THRUM__NO_INIT_
#define THRUM__NO_INIT_void 0

#define THRUM__TASK(result, n, none, task, ...)                                                    \
    THRUM__STRICT                                                                                  \
    THRUM__ARGS(task, n, none, __VA_ARGS__)                                                        \
    _Static_assert(_Alignof(struct task##__args) <= _Alignof(max_align_t),                         \
                   "a parameter of task " #task " is aligned more strictly than malloc() can");    \
    static result task(none THRUM__LIST(n)(THRUM__PARAMETER, , __VA_ARGS__));                      \
    static void task##__run(const void *thrum__args, void *thrum__result) {                        \
        const struct task##__args *thrum__a = thrum__args;                                         \
        (void)thrum__a;                                                                            \
        THRUM__IF_VOID(result)(((void)thrum__result;), (*(result *)thrum__result =))               \
        task(THRUM__LIST(n)(THRUM__FROM, thrum__a, __VA_ARGS__));                                  \
    }                                                                                              \
    static const thrum_task_parameter task##__parameters[] = {                                     \
        THRUM__REPEAT(n)(THRUM__DESCRIBE, task##__args, __VA_ARGS__){NULL, NULL, 0, 0, NULL}};     \
    static const thrum_task_packing task##__packing;                                               \
    static const thrum_task_type task##_task = {                                                   \
        .name = #task,                                                                             \
        .function = (void (*)(void))task,                                                          \
        .run = task##__run,                                                                        \
        .result_type = #result,                                                                    \
        .result_size = THRUM__IF_VOID(result)((0), (sizeof(result))),                              \
        .args_size = (n) ? sizeof(struct task##__args) : 0,                                        \
        .parameters = task##__parameters,                                                          \
        .n_parameters = (n),                                                                       \
        .result_format = THRUM__IF_VOID(result)((""), (THRUM__FORMAT(*(result *)0))),              \
        .packing = &task##__packing};                                                              \
    THRUM__TASK_ENTRY(task)                                                                        \
    THRUM__TASK_CALLS(result, n, none, task, __VA_ARGS__)                                          \
    static result task(none THRUM__LIST(n)(THRUM__PARAMETER, , __VA_ARGS__))

/* The descriptor's address goes into the section `thrum_tasks` of its program or library, which
 * knows where that begins and ends. */
#define THRUM__TASK_ENTRY(task)                                                                    \
    THRUM__RETAIN __attribute__((section("thrum_tasks")))                                          \
    static const thrum_task_type *const task##__entry = &task##_task;                              \
    extern const thrum_task_type *const __start_thrum_tasks[] THRUM__HIDDEN;                       \
    extern const thrum_task_type *const __stop_thrum_tasks[] THRUM__HIDDEN;                        \
    thrum__task_module thrum__tasks_here THRUM__HIDDEN;                                            \
    __attribute__((constructor)) static void task##__register(void) {                              \
        thrum__tasks_register(&thrum__tasks_here, __start_thrum_tasks, __stop_thrum_tasks);        \
    }                                                                                              \
    __attribute__((destructor)) static void task##__unregister(void) {                             \
        thrum__tasks_unregister(&thrum__tasks_here);                                               \
    }

#define THRUM__PACK(n, none, task, ...)                                                            \
    &(const struct task##__args) {                                                                 \
        THRUM__NO_INIT_##none THRUM__REPEAT(n)(THRUM__INIT, , __VA_ARGS__)                         \
    }

#define THRUM__TASK_CALLS(result, n, none, task, ...)                                              \
    __attribute__((unused)) static inline int task##_submit(                                       \
        thrum_executor *thrum__executor,                                                           \
        thrum_future **thrum__out THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__)) {        \
        return thrum__task_submit(thrum__executor, thrum__out, &task##_task,                       \
                                  THRUM__PACK(n, none, task, __VA_ARGS__));                        \
    }                                                                                              \
    __attribute__((unused)) static inline int task##_submit_with(                                  \
        thrum_executor *thrum__executor,                                                           \
        thrum_future **thrum__out THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__),          \
        const thrum_task_opts *thrum__opts) {                                                      \
        return thrum__task_submit_with(thrum__executor, thrum__out, &task##_task,                  \
                                       THRUM__PACK(n, none, task, __VA_ARGS__), thrum__opts);      \
    }                                                                                              \
    __attribute__((unused)) static inline int task##_start(                                        \
        thrum_thread **thrum__out THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__),          \
        const thrum_thread_opts *thrum__opts) {                                                    \
        return thrum__task_start(thrum__out, &task##_task,                                         \
                                 THRUM__PACK(n, none, task, __VA_ARGS__), thrum__opts);            \
    }                                                                                              \
    __attribute__((unused)) static inline int task##_start_process(                                \
        thrum_process **thrum__out THRUM__REPEAT(n)(THRUM__NEXT_PARAMETER, , __VA_ARGS__),         \
        const thrum_process_opts *thrum__opts) {                                                   \
        return thrum__task_start_process(thrum__out, &task##_task,                                 \
                                         THRUM__PACK(n, none, task, __VA_ARGS__), thrum__opts);    \
    }                                                                                              \
    __attribute__((unused)) static inline int task##_result(                                       \
        thrum_future *thrum__future THRUM__IF_VOID(result)((), (, result *thrum__value))) {        \
        return thrum__task_result(thrum__future, &task##_task,                                     \
                                  THRUM__IF_VOID(result)((NULL), (thrum__value)));                 \
    }                                                                                              \
    __attribute__((unused)) THRUM_NODISCARD static inline int task##_result_until(                 \
        thrum_future *thrum__future,                                                               \
        thrum_deadline thrum__deadline THRUM__IF_VOID(result)((), (, result *thrum__value))) {     \
        return thrum__task_result_until(thrum__future, &task##_task, thrum__deadline,              \
                                        THRUM__IF_VOID(result)((NULL), (thrum__value)));           \
    }

#endif

#endif
