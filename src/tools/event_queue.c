/* event_queue.c - the heap behind event_queue.h: a parent is never later than its two children. */
#include "tools/event_queue.h"

#include <stdlib.h>

#include "cola/memory.h"

static bool is_before(const struct event *a, const struct event *b)
{
    return a->time_s != b->time_s ? a->time_s < b->time_s : a->number < b->number;
}

enum cola_status event_queue_push(struct event_queue *queue, double time_s, uint32_t kind, uint32_t subject)
{
    COLA_TRY(
        cola_grow((void **)&queue->event, &queue->room, queue->n_events + 1, sizeof *queue->event, "events"));
    struct event event = {.time_s = time_s, .number = queue->n_pushed++, .kind = kind, .subject = subject};
    size_t at = queue->n_events++;
    for (; at > 0 && is_before(&event, &queue->event[(at - 1) / 2]); at = (at - 1) / 2)
        queue->event[at] = queue->event[(at - 1) / 2];
    queue->event[at] = event;
    return COLA_OK;
}

/* The last event goes down from the root until no child is earlier. */
static void sink(struct event_queue *queue, struct event event)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->n_events) break;
        if (child + 1 < queue->n_events && is_before(&queue->event[child + 1], &queue->event[child])) child++;
        if (!is_before(&queue->event[child], &event)) break;
        queue->event[at] = queue->event[child];
        at = child;
    }
    queue->event[at] = event;
}

bool event_queue_pop(struct event_queue *queue, struct event *out)
{
    if (queue->n_events == 0) return false;
    *out = queue->event[0];
    struct event last = queue->event[--queue->n_events];
    if (queue->n_events > 0) sink(queue, last);
    return true;
}

void event_queue_fini(struct event_queue *queue)
{
    free(queue->event);
    *queue = (struct event_queue){0};
}
