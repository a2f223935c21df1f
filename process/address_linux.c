/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* In the middle of a module: what a sanitizer puts between its constants is read too. */
__attribute__((no_sanitize_address)) static uint64_t mix(uint64_t hash, const void *bytes,
                                                         size_t n) {
    for (const unsigned char *at = bytes; n > 0; n--, at++)
        hash = (hash ^ *at) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

static size_t padded(size_t size) { return (size + 3) & ~(size_t)3; }

/* Finds the linker's note among those of a segment. */
static bool find_note(const char *at, size_t size, thrum__address *address) {
    ElfW(Nhdr) note;
    while (size >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = padded(note.n_namesz), bytes = padded(note.n_descsz);
        if (name > size - sizeof note || bytes > size - sizeof note - name)
            return false;
        at += sizeof note;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(at, "GNU", 4) == 0 &&
            note.n_descsz > 0) {
            size_t n = note.n_descsz < THRUM__BUILD_SIZE ? note.n_descsz : THRUM__BUILD_SIZE;
            memcpy(address->build, at + name, n);
            address->kind = THRUM__BUILD_NOTE;
            return true;
        }
        at += name + bytes;
        size -= sizeof note + name + bytes;
    }
    return false;
}

static bool readable(const ElfW(Phdr) *header) {
    return header->p_type == PT_LOAD && (header->p_flags & PF_R) && !(header->p_flags & PF_W);
}

/* Where there is no note: the headers, and the first page of each segment that is only read: with
 * another build something in symbols, sizes or code there is different, as a rule. */
static void hash_headers(const struct dl_phdr_info *info, thrum__address *address) {
    enum { MOST = 4096 };
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        hash = mix(hash, header, sizeof *header);
        if (readable(header))
            hash = mix(hash, (const char *)(info->dlpi_addr + header->p_vaddr),
                       header->p_filesz < MOST ? (size_t)header->p_filesz : MOST);
    }
    memcpy(address->build, &hash, sizeof hash);
    address->kind = THRUM__BUILD_HEADERS;
}

static void read_build(const struct dl_phdr_info *info, thrum__address *address) {
    memset(address->build, 0, sizeof address->build);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE &&
            find_note((const char *)(info->dlpi_addr + header->p_vaddr), (size_t)header->p_memsz,
                      address))
            return;
    }
    hash_headers(info, address);
}

static bool runs_at(const struct dl_phdr_info *info, uintptr_t at) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) &&
            at - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
            return true;
    }
    return false;
}

typedef struct search {
    thrum__address address;
    uintptr_t at;
    bool loaded;
} search;

static int look_for_place(struct dl_phdr_info *info, size_t size, void *arg) {
    search *it = arg;
    (void)size;
    if (!runs_at(info, it->at))
        return 0;
    read_build(info, &it->address);
    it->address.offset = it->at - info->dlpi_addr;
    return 1;
}

static int look_for_build(struct dl_phdr_info *info, size_t size, void *arg) {
    search *it = arg;
    thrum__address found = {0};
    (void)size;
    read_build(info, &found);
    if (found.kind != it->address.kind ||
        memcmp(found.build, it->address.build, sizeof found.build) != 0)
        return 0;
    it->loaded = true;
    const uintptr_t offset = (uintptr_t)it->address.offset;
    it->at = info->dlpi_addr + offset;
    return offset == it->address.offset && runs_at(info, it->at);
}

int thrum__address_of(thrum__function *function, thrum__address *address) {
    search it = {.at = (uintptr_t)function};
    if (!dl_iterate_phdr(look_for_place, &it))
        return -ENOENT;
    *address = it.address;
    return 0;
}

thrum__function *thrum__address_find(const thrum__address *address, char *text, size_t size) {
    search it = {.address = *address};
    char build[2 * THRUM__BUILD_SIZE + 1];
    if (dl_iterate_phdr(look_for_build, &it))
        return (thrum__function *)it.at;
    for (int i = 0; i < THRUM__BUILD_SIZE; i++)
        snprintf(build + 2 * i, 3, "%02x", address->build[i]);
    snprintf(text, size,
             it.loaded ? "the build %s (%s) has no function at 0x%llx"
                       : "the worker has not loaded the build %s (%s) of the function at 0x%llx",
             build, address->kind == THRUM__BUILD_NOTE ? "build id" : "hash of headers",
             (unsigned long long)address->offset);
    return NULL;
}
