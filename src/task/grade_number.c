/* grade_number.c - GSM8K: one number. The gold stands after "####". The answer is taken from the first of
 * these that the text has: a number directly after "####"; any \boxed; the number after the first "answer is"
 * or "answer:"; the last number of the text. Signs of money, thousands and percent do not count. Exact
 * fractions. */
#include <string.h>

#include "task/grade_bytes.h"
#include "task/grade_rules.h"

static bool digit_at(struct cola_text text, uint64_t at)
{
    return at < text.n_bytes && cola_is_digit(text.bytes[at]);
}

static bool byte_at(struct cola_text text, uint64_t at, char c)
{
    return at < text.n_bytes && text.bytes[at] == c;
}

struct digits {
    char byte[48]; /* 38 digits fit 128 bits */
    size_t n;
    bool cut;
};

static void keep(struct digits *digits, char c)
{
    if (digits->n == sizeof digits->byte)
        digits->cut = true;
    else
        digits->byte[digits->n++] = c;
}

/* Bytes of a separator of thousands at `at`, if exactly three digits follow: , {,} \, and 0 if none. */
static uint64_t separator(struct cola_text text, uint64_t at)
{
    uint64_t n = byte_at(text, at, ',')           ? 1
                 : cola_text_has(text, at, "{,}") ? 3
                 : cola_text_has(text, at, "\\,") ? 2
                                                  : 0;
    if (n == 1 && cola_text_has(text, at + 1, "\\!")) n = 3;
    bool three = digit_at(text, at + n) && digit_at(text, at + n + 1) && digit_at(text, at + n + 2);
    return n > 0 && three && !digit_at(text, at + n + 3) ? n : 0;
}

/* A numeral without sign; false if it does not fit. *at moves behind it either way. */
static bool read_numeral(struct cola_text text, uint64_t *at, bool *whole, struct latex_rational *out)
{
    struct digits digits = {.n = 0};
    uint64_t i = *at, begin = i, n;
    while (digit_at(text, i)) keep(&digits, text.bytes[i++]);
    while (i - begin > 0 && (n = separator(text, i)) > 0 && (digits.n <= 3 || i - begin > digits.n)) {
        i += n;
        for (int j = 0; j < 3; j++) keep(&digits, text.bytes[i++]);
    }
    *whole = true;
    if (byte_at(text, i, '.') && digit_at(text, i + 1)) {
        *whole = false;
        keep(&digits, text.bytes[i++]);
        while (digit_at(text, i)) keep(&digits, text.bytes[i++]);
    }
    *at = i;
    return !digits.cut && latex_rational_read(digits.byte, digits.n, out);
}

/* Behind a whole number: /4, or a blank and 1/2. */
static void read_fraction(struct cola_text text, uint64_t *at, struct latex_rational *number)
{
    struct latex_rational above = *number, below, part;
    bool whole;
    uint64_t i = *at;
    bool mixed = byte_at(text, i, ' ') && digit_at(text, i + 1);
    if (mixed) {
        i++;
        if (!read_numeral(text, &i, &whole, &above) || !whole) return;
    }
    if (!byte_at(text, i, '/') || !digit_at(text, i + 1)) return;
    i++;
    if (!read_numeral(text, &i, &whole, &below) || !whole) return;
    if (byte_at(text, i, '/') && digit_at(text, i + 1)) return; /* a date */
    if (!latex_rational_make(above.num, 1, &part) || !latex_rational_make(part.num, below.num, &part)) return;
    if (mixed && !latex_rational_add(*number, part, &part)) return;
    *number = part;
    *at = i;
}

/* \frac{3}{4} and its spellings at `at`, with whole numbers. */
static bool read_command(struct cola_text text, uint64_t *at, struct latex_rational *out)
{
    static const char *const name[] = {"\\frac{", "\\dfrac{", "\\tfrac{"};
    struct latex_rational above, below;
    bool whole;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        uint64_t j = *at + strlen(name[i]);
        if (!cola_text_has(text, *at, name[i]) || !digit_at(text, j)) continue;
        if (!read_numeral(text, &j, &whole, &above) || !whole || !cola_text_has(text, j, "}{")) return false;
        j += 2;
        if (!digit_at(text, j) || !read_numeral(text, &j, &whole, &below) || !whole || !byte_at(text, j, '}'))
            return false;
        *at = j + 1;
        return latex_rational_make(above.num, below.num, out);
    }
    return false;
}

/* A minus directly before (a $ may stand between), that does not subtract from something. */
static bool has_minus(struct cola_text text, uint64_t at)
{
    while (at > 0 && (text.bytes[at - 1] == '$' || text.bytes[at - 1] == '\\')) at--;
    uint64_t n = at >= 1 && text.bytes[at - 1] == '-'                             ? 1
                 : at >= 3 && memcmp(text.bytes + at - 3, "\xe2\x88\x92", 3) == 0 ? 3
                                                                                  : 0;
    if (n == 0) return false;
    if (at == n) return true;
    char before = text.bytes[at - n - 1];
    return !cola_is_word(before) && before != ')' && before != '}' && before != '-';
}

struct number {
    struct latex_rational value;
    bool fits;
    uint64_t begin, end;
};

/* The first number at or after *at; *at moves behind it. Digits inside words (H2O) are no numbers. */
static bool next_number(struct cola_text text, uint64_t *at, struct number *out)
{
    uint64_t i = *at;
    for (; i < text.n_bytes; i++) {
        char c = text.bytes[i];
        bool starts = cola_is_digit(c) || (c == '.' && digit_at(text, i + 1));
        if (cola_is_letter(c)) {
            while (i + 1 < text.n_bytes &&
                   (cola_is_letter(text.bytes[i + 1]) || cola_is_digit(text.bytes[i + 1])))
                i++;
            continue;
        }
        if (!starts && c != '\\') continue;
        uint64_t j = i;
        struct number number = {.begin = i, .fits = true};
        bool whole = false;
        if (c == '\\') {
            if (!read_command(text, &j, &number.value)) continue;
        } else {
            number.fits = read_numeral(text, &j, &whole, &number.value);
            if (number.fits && whole && !(i > 0 && text.bytes[i - 1] == '/'))
                read_fraction(text, &j, &number.value);
        }
        if (number.fits && has_minus(text, i)) number.value.num = -number.value.num;
        number.end = j;
        *at = j;
        *out = number;
        return true;
    }
    *at = i;
    return false;
}

/* A number with nothing but spaces, money and a sign before it. */
static bool number_directly_at(struct cola_text text, uint64_t at, struct number *out)
{
    uint64_t i = at;
    while (i < text.n_bytes && i - at < 16 &&
           (text.bytes[i] == ' ' || text.bytes[i] == '$' || text.bytes[i] == '-' || text.bytes[i] == '\\'))
        i++;
    return (digit_at(text, i) || (byte_at(text, i, '.') && digit_at(text, i + 1))) &&
           next_number(text, &i, out);
}

static bool after_hashes(struct cola_text text, struct number *out)
{
    for (uint64_t at = 0; at + 4 <= text.n_bytes; at++) {
        const char *next = memchr(text.bytes + at, '#', text.n_bytes - at);
        if (!next) return false;
        at = (uint64_t)(next - text.bytes);
        if (!cola_text_has(text, at, "####")) continue;
        at += 4;
        if (number_directly_at(text, at, out)) return true;
        at--;
    }
    return false;
}

/* "answer is 5", "Answer: 3 + 4 = 7": within the line, behind its last "=" if there is one. */
static bool after_answer(struct cola_text text, struct number *out)
{
    for (uint64_t at = 0; at < text.n_bytes; at++) {
        if (!cola_text_has(text, at, "answer")) continue;
        uint64_t begin = at + 6;
        if (!cola_text_has(text, begin, " is") && !byte_at(text, begin, ':') &&
            !cola_text_has(text, begin, " ="))
            continue;
        const char *end = memchr(text.bytes + begin, '\n', text.n_bytes - begin);
        struct cola_text line = {text.bytes, end ? (uint64_t)(end - text.bytes) : text.n_bytes};
        for (uint64_t i = begin; i < line.n_bytes; i++)
            if (line.bytes[i] == '=') begin = i + 1;
        if (next_number(line, &begin, out)) return true;
        at = line.n_bytes;
    }
    return false;
}

static bool last_number(struct cola_text text, struct number *out)
{
    bool found = false;
    for (uint64_t at = 0; next_number(text, &at, out);) found = true;
    return found;
}

static void take(const struct number *number, struct cola_text text, struct latex_rational gold,
                 struct cola_grade *out)
{
    char bytes[COLA_GRADE_ANSWER_MAX + 1];
    struct latex_text printed = {bytes, 0, sizeof bytes, false};
    bool right = number->fits && latex_rational_equal(number->value, gold);
    out->verdict = right ? COLA_GRADE_RIGHT : COLA_GRADE_WRONG;
    out->n_answers = 1;
    if (number->fits) {
        latex_put_rational(&printed, number->value);
        cola_grade_store(out, printed.bytes, printed.n);
    } else {
        cola_grade_store(out, text.bytes + number->begin, number->end - number->begin);
    }
}

/* The value of a box that is one constant, else its last number. */
static bool number_in_box(struct latex *latex, struct cola_text box, struct number *out)
{
    struct latex_answer answer;
    struct latex_mark mark = latex_mark(latex);
    latex_read(latex, box.bytes, box.n_bytes, &answer);
    const struct latex_node *node = answer.empty ? NULL : &latex->node[answer.node];
    bool ok = node && node->kind == LATEX_VALUE && latex_value_is_rational(latex, node->value, &out->value);
    latex_reset(latex, mark);
    out->fits = true;
    return ok || last_number(box, out);
}

static enum cola_status grade_boxes(struct cola_text text, struct latex_rational gold, struct cola_grade *out)
{
    struct cola_boxes boxes;
    struct latex *latex;
    cola_boxes_find(text, &boxes);
    if (boxes.n == 0) return COLA_OK;
    COLA_TRY(latex_create(&latex));
    for (uint32_t i = boxes.n; i > 0 && out->verdict != COLA_GRADE_RIGHT; i--) {
        struct cola_grade own = {.verdict = COLA_GRADE_UNPARSED};
        struct number number;
        if (!number_in_box(latex, boxes.box[i - 1], &number)) continue;
        take(&number, boxes.box[i - 1], gold, &own);
        if (own.verdict == COLA_GRADE_RIGHT || out->verdict == COLA_GRADE_UNPARSED) *out = own;
    }
    if (out->verdict != COLA_GRADE_UNPARSED) out->n_answers = cola_boxes_count_different(&boxes);
    latex_destroy(latex);
    return COLA_OK;
}

static enum cola_status read_gold(struct cola_text gold, struct latex_rational *out)
{
    struct number number;
    bool found = after_hashes(gold, &number) || last_number(gold, &number);
    if (!found || !number.fits)
        return cola_fail(COLA_ERR_INPUT, "gold answer: expected a number of at most 38 digits, found '%.*s'",
                         (int)(gold.n_bytes > 200 ? 200 : gold.n_bytes), gold.bytes);
    *out = number.value;
    return COLA_OK;
}

enum cola_status cola_grade_number(const struct cola_grading *grading, struct cola_text text,
                                   struct cola_grade *out)
{
    struct latex_rational gold;
    struct number number;
    COLA_TRY(read_gold(grading->gold, &gold));
    if (after_hashes(text, &number)) {
        take(&number, text, gold, out);
        return COLA_OK;
    }
    COLA_TRY(grade_boxes(text, gold, out));
    if (out->verdict != COLA_GRADE_UNPARSED) return COLA_OK;
    if (after_answer(text, &number) || last_number(text, &number)) take(&number, text, gold, out);
    return COLA_OK;
}
