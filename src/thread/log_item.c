/* SPDX-License-Identifier: MIT */
#include "thread/log_item.h"

#include <stdlib.h>
#include <string.h>

#include "thread/log_style.h"

/* Copies `text`, its `size` bytes and a zero, to *to, and moves *to behind it. Returns the copy. */
static const char *keep(char **to, const char *text, size_t size) {
    char *copy = *to;
    if (!text)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *to += size + 1;
    return copy;
}

static size_t size_of(const char *text) { return text ? strlen(text) : 0; }

thrum__log_item *thrum__log_item_new(thrum__log_record *record) {
    thrum__log_line message;
    thrum__log_line_init(&message);
    thrum__log_message_apply(record, &message);
    thrum__log_style_thread(record);
    size_t file = size_of(record->file), function = size_of(record->function);
    size_t thread = size_of(record->thread_name);
    thrum__log_item *item = malloc(sizeof *item + message.used + file + function + thread + 4);
    if (item) {
        char *to = item->text;
        item->record = (thrum__log_record){.level = record->level,
                                           .name = record->name,
                                           .line = record->line,
                                           .message_size = message.used,
                                           .message_cut = message.cut,
                                           .error = record->error,
                                           .created = record->created,
                                           .thread = record->thread};
        item->record.message = keep(&to, message.data, message.used);
        item->record.file = keep(&to, record->file, file);
        item->record.function = keep(&to, record->function, function);
        item->record.thread_name = keep(&to, record->thread_name, thread);
    }
    thrum__log_line_free(&message);
    return item;
}

void thrum__log_item_free(thrum__log_item *item) { free(item); }
