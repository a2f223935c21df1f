/* SPDX-License-Identifier: MIT */
/* What a process is told at its start: one file in memory, which its parent has written and nobody
 * else sees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thrum/shared.h>
#include <unistd.h>

#include "exec/backend.h"
#include "process.h"
#include "table.h"

enum { TEXTS = 4 };

/* The file: this, the arguments with what was packed, the pointers, the texts with their zeros. */
typedef struct fixed {
    uint64_t size; /* of all */
    uint64_t hash;
    uint64_t sizes[TEXTS];
    uint64_t n_pointers, args_size;
    int32_t parent, daemon;
} __attribute__((aligned(16))) fixed;

/* An argument that points into shared memory. */
typedef struct pointer {
    uint64_t parameter; /* where it lies in the block of arguments */
    uint64_t offset;    /* where it points to in the segment */
    uint64_t number;    /* which segment, in the parent */
    int64_t fd;         /* which segment, here */
} pointer;

static int refuse(const thrum_task_type *type, const thrum_task_parameter *parameter) {
    thrum__remote_complain("%s_start_process: \"%s\" would mean nothing in another process: it "
                           "must point into shared memory (thrum/shared.h), or be packed "
                           "(thrum/pack.h)", type->name, parameter->name);
    return -EFAULT;
}

/* Finds which segment `value` points into. Returns 0, 1 (none), or a negative errno. */
static int find_segment(const void *value, pointer *found, pointer *known, int n,
                        thrum__launch *launch) {
    found->number = thrum__segment_find(value, 1, &found->offset);
    if (found->number == 0)
        return 1;
    for (int i = 0; i < n; i++) {
        if (known[i].number == found->number) {
            found->fd = known[i].fd;
            return 0;
        }
    }
    int fd = thrum__segment_descriptor(found->number);
    if (fd < 0)
        return fd;
    launch->keep[launch->n_keep++] = fd;
    found->fd = fd;
    return 0;
}

/* Returns how many pointers there are into segments, or a negative errno. Others are NULL in `args`
 * then, and for pack(). */
static int find_pointers(const thrum_task_type *type, char *args, pointer *pointers,
                         thrum__launch *launch) {
    int n = 0;
    for (size_t i = 0; i < type->n_parameters; i++) {
        const thrum_task_parameter *parameter = &type->parameters[i];
        const void *value, *none = NULL;
        if (parameter->format[0] != 'r' && parameter->format[0] != 'w')
            continue;
        memcpy(&value, args + parameter->offset, sizeof value);
        if (!value)
            continue;
        pointer found = {.parameter = parameter->offset};
        int rc = n < THRUM__SEGMENTS_MAX ? find_segment(value, &found, pointers, n, launch) : 1;
        if (rc == 1 && thrum__pack_has(type))
            memcpy(args + parameter->offset, &none, sizeof none);
        else if (rc != 0)
            return rc == 1 ? refuse(type, parameter) : rc;
        else
            pointers[n++] = found;
    }
    return n;
}

/* Makes the arguments, to be freed, with what is packed of them behind. Returns 0 or a negative
 * errno. */
static int make_args(const thrum_task_type *type, const void *args, char **out, size_t *size) {
    bool packs = thrum__pack_has(type);
    size_t offset = thrum__pack_offset(type->args_size), packed = 0;
    int rc = packs ? thrum__pack_count(type, args, &packed) : 0;
    if (rc != 0)
        return rc;
    *size = packs ? offset + packed : type->args_size;
    *out = malloc(*size + 1);
    if (!*out)
        return -ENOMEM;
    memcpy(*out, args, type->args_size);
    if (packs) {
        memset(*out + type->args_size, 0, offset - type->args_size);
        rc = thrum__pack_write(type, args, *out + offset, packed);
    }
    if (rc != 0)
        free(*out);
    return rc;
}

/* Returns 0, or why the task cannot be told from others. */
static int find_hash(const thrum_task_type *type, uint64_t *hash) {
    thrum__table table;
    int rc = thrum__table_make(&table);
    if (rc != 0)
        return rc;
    int64_t index = thrum__table_index(&table, type);
    if (index >= 0)
        *hash = table.hashes[index];
    thrum__table_free(&table);
    return index < 0 ? (int)index : 0;
}

static int write_all(int fd, const void *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = write(fd, (const char *)bytes + at, size - at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_file(thrum__launch *launch, const fixed *head, const void *args,
                      const thrum__buffer *rest) {
    int fd = thrum__spawn_above(memfd_create("thrum-process", MFD_CLOEXEC));
    int rc = fd < 0 ? -errno : write_all(fd, head, sizeof *head);
    if (rc == 0)
        rc = write_all(fd, args, (size_t)head->args_size);
    if (rc == 0)
        rc = write_all(fd, rest->data + rest->begin, thrum__buffer_size(rest));
    if (rc != 0 && fd >= 0)
        close(fd);
    if (rc == 0)
        launch->keep[launch->n_keep++] = fd;
    return rc;
}

void thrum__launch_close(const thrum__launch *launch) {
    for (int i = 0; i < launch->n_keep; i++)
        close(launch->keep[i]);
}

static int pack(thrum__launch *launch, const thrum__parcel *parcel, const thrum_task_type *type,
                char *args, size_t size) {
    const char *texts[TEXTS] = {parcel->name, parcel->identity, parcel->parent_name, type->name};
    pointer pointers[THRUM__SEGMENTS_MAX];
    thrum__buffer rest = {0};
    fixed head = {.parent = parcel->parent, .daemon = parcel->daemon, .args_size = size};
    int n = find_pointers(type, args, pointers, launch);
    int rc = n < 0 ? n : find_hash(type, &head.hash);
    if (rc != 0)
        return rc;
    head.n_pointers = (uint64_t)n;
    bool done = thrum__buffer_put(&rest, pointers, (size_t)n * sizeof *pointers);
    for (int i = 0; i < TEXTS && done; i++) {
        head.sizes[i] = strlen(texts[i]) + 1;
        done = thrum__buffer_put(&rest, texts[i], (size_t)head.sizes[i]);
    }
    head.size = sizeof head + size + thrum__buffer_size(&rest);
    rc = done ? write_file(launch, &head, args, &rest) : -ENOMEM;
    thrum__buffer_free(&rest);
    return rc;
}

int thrum__parcel_pack(thrum__launch *launch, const thrum__parcel *parcel,
                       const thrum_task_type *type, const void *args) {
    char *copy;
    size_t size;
    *launch = (thrum__launch){.n_keep = 0};
    int rc = make_args(type, args, &copy, &size);
    if (rc != 0)
        return rc;
    rc = pack(launch, parcel, type, copy, size);
    free(copy);
    if (rc != 0)
        thrum__launch_close(launch);
    return rc;
}

/* Returns the bytes of the file, which stay, and their number; NULL with errno. */
static char *read_file(int fd, size_t *size) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return NULL;
    *size = (size_t)about.st_size;
    char *bytes = malloc(*size + 1);
    for (size_t at = 0; bytes && at < *size;) {
        ssize_t n = pread(fd, bytes + at, *size - at, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            errno = n == 0 ? EPROTO : errno;
            free(bytes);
            return NULL;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return bytes;
}

/* The segments stay open for good: the task may hand them on. */
static int open_segments(const pointer *pointers, uint64_t n, char *args) {
    thrum_shared *segments[THRUM__SEGMENTS_MAX] = {NULL};
    for (uint64_t i = 0; i < n; i++) {
        for (uint64_t k = 0; k < i; k++)
            if (pointers[k].fd == pointers[i].fd)
                segments[i] = segments[k];
        if (!segments[i]) {
            int rc = thrum_shared_open_fd(&segments[i], (int)pointers[i].fd, 0);
            if (rc != 0)
                return rc;
            close((int)pointers[i].fd);
        }
        char *value = (char *)thrum_shared_memory(segments[i]) + pointers[i].offset;
        memcpy(args + pointers[i].parameter, &value, sizeof value);
    }
    return 0;
}

/* Takes `size` bytes from what is left. Returns them, or NULL: there are not so many. */
static const char *take(const char **at, const char *end, uint64_t size) {
    const char *taken = *at;
    if (!taken || size > (uint64_t)(end - taken)) {
        *at = NULL;
        return NULL;
    }
    *at += size;
    return taken;
}

static bool is_text(const char *text, uint64_t size) {
    return text && size > 0 && memchr(text, 0, (size_t)size) == text + size - 1;
}

/* Returns whether all of them lie within the arguments. */
static bool check_pointers(const fixed *head, const pointer *pointers) {
    for (uint64_t i = 0; i < head->n_pointers; i++)
        if (head->args_size < sizeof(void *) ||
            pointers[i].parameter > head->args_size - sizeof(void *))
            return false;
    return true;
}

static int unpack(thrum__parcel *parcel, char *bytes, size_t size) {
    const char **texts[TEXTS] = {&parcel->name, &parcel->identity, &parcel->parent_name,
                                 &parcel->task};
    const char *at = bytes, *end = bytes + size, *found;
    pointer pointers[THRUM__SEGMENTS_MAX];
    fixed head;
    if (!(found = take(&at, end, sizeof head)))
        return -EPROTO;
    memcpy(&head, found, sizeof head);
    if (head.size != size || head.n_pointers > THRUM__SEGMENTS_MAX)
        return -EPROTO;
    parcel->args = bytes + sizeof head;
    parcel->args_size = (size_t)head.args_size;
    if (!take(&at, end, head.args_size))
        return -EPROTO;
    if ((found = take(&at, end, head.n_pointers * sizeof *pointers)) != NULL)
        memcpy(pointers, found, (size_t)head.n_pointers * sizeof *pointers);
    for (int i = 0; i < TEXTS; i++) {
        *texts[i] = take(&at, end, head.sizes[i]);
        if (!is_text(*texts[i], head.sizes[i]))
            return -EPROTO;
    }
    if (at != end || !check_pointers(&head, pointers))
        return -EPROTO;
    parcel->parent = head.parent;
    parcel->daemon = head.daemon != 0;
    parcel->hash = head.hash;
    return open_segments(pointers, head.n_pointers, parcel->args);
}

int thrum__parcel_unpack(thrum__parcel *parcel, int fd) {
    size_t size;
    char *bytes = read_file(fd, &size);
    *parcel = (thrum__parcel){.bytes = bytes};
    int rc = bytes ? unpack(parcel, bytes, size) : -errno;
    close(fd);
    if (rc != 0) {
        free(bytes);
        *parcel = (thrum__parcel){0};
    }
    return rc;
}

/* Returns whether they are what the task takes. */
static bool fits(const thrum_task_type *type, size_t args_size) {
    return thrum__pack_has(type) ? args_size >= thrum__pack_offset(type->args_size)
                                 : args_size == type->args_size;
}

const thrum_task_type *thrum__parcel_task(const thrum__parcel *parcel) {
    const thrum_task_type *type = thrum_task_find(parcel->task);
    uint64_t hash = 0;
    int rc = type ? find_hash(type, &hash) : -errno;
    if (rc == 0 && hash == parcel->hash && fits(type, parcel->args_size))
        return type;
    if (rc == 0)
        thrum__remote_complain("process \"%s\": the task \"%s\" has other types here", parcel->name,
                               parcel->task);
    else
        thrum__remote_complain("process \"%s\": the program has no task \"%s\" at its start: %s",
                               parcel->name, parcel->task, thrum_strerror(rc));
    return NULL;
}
