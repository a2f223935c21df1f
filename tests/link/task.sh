#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: task.sh INCLUDE_DIR BUILD_DIR COMPILER...   Tasks of a program, of a library it is linked with, and of one that
# it loads are found by name, and a name that two have is said to be so: with hidden visibility, sections collected,
# link-time optimisation. A process can be started if the program includes thrum/process.h; it has the tasks that the
# program has at its start.

include=$1
build=$2
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

for name in linked loaded; do
    cat >$name.c <<EOF
#include <thrum.h>
THRUM_TASK(int, of_$name, (int, n)) { return n + 1; }
THRUM_TASK(int, of_both, (int, n)) { return n; }
int call_$name(void), start_$name(thrum_process **p);
__attribute__((visibility("default"))) int call_$name(void) { return of_$name(1); }
__attribute__((visibility("default"))) int start_$name(thrum_process **p) {
    return of_${name}_start_process(p, 1, NULL);
}
EOF
done
cat >other.c <<'EOF'
#include <thrum.h>
THRUM_TASK(void, of_other_file) {}
int other(void);
int other(void) { return 0; }
EOF
cat >main.c <<'EOF'
#include <dlfcn.h>
#include <stdio.h>
#include <thrum.h>
int call_linked(void), other(void);
THRUM_TASK(double, of_program, (double, x)) { return x; }
static int check(const char *name, int error) {
    errno = 0;
    const thrum_task_type *type = thrum_task_find(name);
    if ((type == NULL) == (error != 0) && (type || errno == error))
        return 0;
    printf("%s: %s, errno %d\n", name, type ? "found" : "not found", errno);
    return 1;
}
int main(void) {
    int failed = other() + check("of_program", 0) + check("of_other_file", 0) + check("of_linked", 0) +
                 check("of_both", 0) + check("of_loaded", ENOENT);
    void *library = dlopen("./loaded.so", RTLD_NOW);
    if (!library || call_linked() != 2)
        failed++;
    failed += check("of_loaded", 0) + check("of_both", EEXIST);
    failed += of_program_start_process(NULL, 1, NULL) != -ENOTSUP;
    dlclose(library);
    return failed + check("of_loaded", ENOENT) + check("of_both", 0) + check("of_program", 0);
}
EOF

cat >process.c <<'EOF'
#include <dlfcn.h>
#include <stdio.h>
#include <thrum/process.h>
int start_linked(thrum_process **p);
static int check(int (*start)(thrum_process **), int expected) {
    thrum_process *p = NULL;
    int code = 99, rc = start ? start(&p) : -1;
    int bad = rc != 0 || thrum_process_join(p) != 0 || thrum_process_exit_code(p, &code) != 0 ||
              code != expected;
    thrum_process_free(p);
    if (!bad)
        return 0;
    printf("start %d, exit code %d, not %d\n", rc, code, expected);
    return 1;
}
int main(void) {
    int failed = check(start_linked, 0);
    void *library = dlopen("./loaded.so", RTLD_NOW);
    return failed + check(library ? (int (*)(thrum_process **))dlsym(library, "start_loaded") : NULL, 1);
}
EOF

try() {
    "$@" -fPIC -shared -o liblinked.so linked.c && "$@" -fPIC -shared -o loaded.so loaded.c &&
        "$@" -o program main.c other.c -L. -llinked -L"$build" -lthrum -lpthread -ldl &&
        "$@" -o process process.c -L. -llinked -L"$build" -lthrum -lpthread -ldl &&
        LD_LIBRARY_PATH="$work:$build" ./program 2>errors &&
        LD_LIBRARY_PATH="$work:$build" ./process 2>>errors &&
        grep -q 'has no task "of_loaded" at its start' errors
    status=$?
    if [ $status -ne 0 ]; then
        echo "fails: $*"
        cat errors
    fi
    return $status
}

set -- "$@" -std=gnu11 -I"$include"
try "$@" -O0 && try "$@" -O2 -fvisibility=hidden -ffunction-sections -fdata-sections -Wl,--gc-sections &&
    try "$@" -O2 -flto -fvisibility=hidden -Wl,--gc-sections
