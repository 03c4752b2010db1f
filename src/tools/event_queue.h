/* event_queue.h - what happens next in a simulated world: events by time, those of one moment in the order in
 * which they were pushed, so that a simulation is a function of its options.
 *
 *     struct event_queue queue = {0};
 *     COLA_TRY(event_queue_push(&queue, 0.25, KIND, subject));
 *     while (event_queue_pop(&queue, &event)) ...
 *     event_queue_fini(&queue);
 *
 * A binary heap. Knows nothing of what kinds and subjects mean. */
#ifndef COLA_TOOLS_EVENT_QUEUE_H
#define COLA_TOOLS_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct event {
    double time_s;
    uint64_t number; /* in order of pushing, from 0 */
    uint32_t kind, subject;
};

struct event_queue { /* zeroed: empty */
    struct event *event;
    size_t n_events, room;
    uint64_t n_pushed;
};

/* COLA_ERR_MEMORY: nothing changed. */
enum cola_status event_queue_push(struct event_queue *queue, double time_s, uint32_t kind, uint32_t subject);

/* The earliest event; false: there is none. */
bool event_queue_pop(struct event_queue *queue, struct event *out);

void event_queue_fini(struct event_queue *queue);

#endif
