/* grade_boxed.c - mathematics: the text is right if any of its boxes is worth the gold answer. Any, and not
 * the last, because models box the answer and go on; the price, that a text may list many boxes, is bounded
 * by the number that is looked at, and the number of different ones is handed out. Values are compared in
 * latex_*.c. */
#include <string.h>

#include "task/grade_bytes.h"
#include "task/grade_rules.h"

/* The braces that open at `at`; false if they do not close within an answer's length. */
static bool braced(struct cola_text text, uint64_t at, struct cola_text *out)
{
    uint64_t begin = at + 1, depth = 0;
    for (; at < text.n_bytes && at - begin + 1 <= LATEX_ANSWER_MAX + 1; at++) {
        if (text.bytes[at] == '\\') {
            at++;
        } else if (text.bytes[at] == '{') {
            depth++;
        } else if (text.bytes[at] == '}' && --depth == 0) {
            *out = cola_text_trim((struct cola_text){text.bytes + begin, at - begin});
            return out->n_bytes > 0;
        }
    }
    return false;
}

/* \boxed 5: TeX takes one sign; people mean what is there up to a space or dollar. */
static bool unbraced(struct cola_text text, uint64_t at, struct cola_text *out)
{
    uint64_t begin = at;
    while (at < text.n_bytes && at - begin < 32 && !cola_is_space(text.bytes[at]) && text.bytes[at] != '$')
        at++;
    *out = (struct cola_text){text.bytes + begin, at - begin};
    return at > begin && (cola_is_word(text.bytes[begin]) || text.bytes[begin] == '-');
}

static uint64_t command_length(struct cola_text text, uint64_t at)
{
    uint64_t n = cola_text_has(text, at, "\\boxed") ? 6 : cola_text_has(text, at, "\\fbox") ? 5 : 0;
    return n > 0 && at + n < text.n_bytes && !cola_is_letter(text.bytes[at + n]) ? n : 0;
}

static void keep(struct cola_boxes *boxes, struct cola_text box)
{
    if (boxes->n == COLA_GRADE_BOXES_MAX) {
        memmove(boxes->box, boxes->box + 1, (COLA_GRADE_BOXES_MAX - 1) * sizeof *boxes->box);
        boxes->n--;
    }
    boxes->box[boxes->n++] = box;
}

void cola_boxes_find(struct cola_text text, struct cola_boxes *out)
{
    out->n = 0;
    for (uint64_t at = 0; at < text.n_bytes; at++) {
        const char *next = memchr(text.bytes + at, '\\', text.n_bytes - at);
        if (!next) return;
        at = (uint64_t)(next - text.bytes);
        uint64_t n = command_length(text, at), after = at + n;
        struct cola_text box;
        if (n == 0) continue;
        while (after < text.n_bytes && after - at < 16 && text.bytes[after] == ' ') after++;
        bool found = after < text.n_bytes &&
                     (text.bytes[after] == '{' ? braced(text, after, &box) : unbraced(text, after, &box));
        if (found) keep(out, box);
    }
}

static bool same_bytes(struct cola_text a, struct cola_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

uint32_t cola_boxes_count_different(const struct cola_boxes *boxes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < boxes->n; i++) {
        uint32_t j = 0;
        while (j < i && !same_bytes(boxes->box[i], boxes->box[j])) j++;
        n += j == i;
    }
    return n;
}

/* The gold, in one or two readings: 1,234 may be a number or a list. */
struct gold {
    struct cola_text text;
    struct latex_answer reading[2];
    uint32_t n;
};

static enum cola_status read_gold(struct latex *latex, struct cola_text text, struct gold *gold)
{
    struct cola_boxes boxes;
    cola_boxes_find(text, &boxes);
    gold->text = boxes.n > 0 ? boxes.box[boxes.n - 1] : cola_text_trim(text);
    if (gold->text.n_bytes > LATEX_ANSWER_MAX)
        return cola_fail(COLA_ERR_INPUT, "gold answer: %llu bytes, an answer has at most %d",
                         (unsigned long long)gold->text.n_bytes, LATEX_ANSWER_MAX);
    latex_read(latex, gold->text.bytes, gold->text.n_bytes, &gold->reading[0]);
    if (gold->reading[0].empty)
        return cola_fail(COLA_ERR_INPUT, "gold answer: nothing to compare with in '%.*s'",
                         (int)gold->text.n_bytes, gold->text.bytes);
    gold->n = 1;
    if (latex_read_as_list(latex, gold->text.bytes, gold->text.n_bytes, &gold->reading[1])) gold->n = 2;
    return COLA_OK;
}

static bool equals_gold(struct latex *latex, const struct gold *gold, const struct latex_answer *given,
                        struct cola_grade *out)
{
    for (uint32_t i = 0; i < gold->n; i++) {
        const struct latex_answer *reading = &gold->reading[i];
        if (!latex_equal(latex, reading, given)) continue;
        out->unfinished = (given->work & ~reading->work) != 0 || given->n_factors != reading->n_factors;
        return true;
    }
    return false;
}

static bool grade_box(struct latex *latex, const struct gold *gold, struct cola_text box,
                      struct cola_grade *out)
{
    struct latex_answer given, list;
    char bytes[COLA_GRADE_ANSWER_MAX + 1] = "";
    struct latex_text printed = {bytes, 0, sizeof bytes, false};
    latex_read(latex, box.bytes, box.n_bytes, &given);
    bool right = equals_gold(latex, gold, &given, out);
    if (!right && latex_read_as_list(latex, box.bytes, box.n_bytes, &list) &&
        equals_gold(latex, gold, &list, out)) {
        given = list;
        right = true;
    }
    right = right || same_bytes(box, gold->text);
    if (right || out->n_bytes == 0) { /* the first that is looked at is the last of the text */
        if (!given.empty) latex_print(latex, &given, &printed);
        if (printed.n > 0 && !printed.cut)
            cola_grade_store(out, printed.bytes, printed.n);
        else
            cola_grade_store(out, box.bytes, box.n_bytes);
    }
    return right;
}

enum cola_status cola_grade_boxed(const struct cola_grading *grading, struct cola_text text,
                                  struct cola_grade *out)
{
    struct cola_boxes boxes;
    struct gold gold;
    struct latex *latex;
    enum cola_status status = COLA_OK;
    COLA_TRY(latex_create(&latex));
    COLA_TRY_DONE(read_gold(latex, grading->gold, &gold));
    struct latex_mark mark = latex_mark(latex);
    cola_boxes_find(text, &boxes);
    if (boxes.n > 0) out->verdict = COLA_GRADE_WRONG;
    out->n_answers = cola_boxes_count_different(&boxes);
    for (uint32_t i = boxes.n; i > 0 && out->verdict == COLA_GRADE_WRONG; i--) {
        latex_reset(latex, mark);
        if (grade_box(latex, &gold, boxes.box[i - 1], out)) out->verdict = COLA_GRADE_RIGHT;
    }
done:
    latex_destroy(latex);
    return status;
}
