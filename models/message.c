/* Message types' names, and the life of a message: counted references, the payload released by
 * the message's own `clear`.  Payloads are declared beside the machines that speak them. */
#include "models/message.h"

static const char *const type_names[N_MESSAGE_TYPES] = {
#define X(name, text) [MESSAGE_##name] = text,
    MESSAGE_TYPES(X)
#undef X
};

const char *
message_type_name(MessageType type)
{
    g_assert((unsigned)type < N_MESSAGE_TYPES);
    return type_names[type];
}

void *
message_new(MessageType type, size_t size, void (*clear)(Message *message))
{
    g_assert((unsigned)type < N_MESSAGE_TYPES);
    g_assert(size >= sizeof(Message));
    Message *message = g_malloc0(size);
    message->type = type;
    message->n_refs = 1;
    message->clear = clear;
    return message;
}

void *
message_ref(void *message)
{
    Message *base = message;
    g_assert(base->n_refs > 0);
    base->n_refs++;
    return message;
}

void
message_unref(void *message)
{
    Message *base = message;
    if (base == NULL) {
        return;
    }
    g_assert(base->n_refs > 0);
    if (--base->n_refs > 0) {
        return;
    }
    if (base->clear != NULL) {
        base->clear(base);
    }
    g_free(base);
}

static void
reply_clear(Message *message)
{
    ReplyMessage *reply = (ReplyMessage *)message;
    g_free(reply->text);
}

Message *
message_ok(void)
{
    ReplyMessage *reply = message_new(MESSAGE_OK, sizeof(ReplyMessage), reply_clear);
    return &reply->base;
}

Message *
message_error(const char *format, ...)
{
    ReplyMessage *reply = message_new(MESSAGE_ERROR, sizeof(ReplyMessage), reply_clear);
    va_list args;
    va_start(args, format);
    reply->text = g_strdup_vprintf(format, args);
    va_end(args);
    return &reply->base;
}

const char *
message_error_text(const Message *message)
{
    if (message == NULL || message->type != MESSAGE_ERROR) {
        return NULL;
    }
    return ((const ReplyMessage *)message)->text;
}
