/* grade_letter.c - multiple choice: which letter does the text answer with? The first of these that it has
 * wins:
 *
 *   1. a \boxed letter (the last one);         4. the first letter in brackets, "(B)", or after "option",
 *   2. "answer is B", "Answer: (B)", .. (the      "choice": anywhere;
 *      first one: what follows may already be  5. the only letter that stands alone, if all such are the
 * same. the next question);
 *   3. a letter at the text's beginning;       Else the text is not parsed. Only the sample's own letters
 * count.
 *
 * Small letters count where brackets or punctuation show that a letter is meant. "A" and "I" before a small
 * word are English, not answers. One pass a step, every look ahead is bounded. */
#include <string.h>

#include "task/grade_bytes.h"
#include "task/grade_rules.h"

enum { LOOK_AHEAD = 48 };

static char byte_at(struct cola_text text, uint64_t at)
{
    return at < text.n_bytes ? text.bytes[at] : '\0';
}

static bool word_at(struct cola_text text, uint64_t at)
{
    return at < text.n_bytes && cola_is_word(text.bytes[at]);
}

/* The choice that a letter names, upper-case; 0 if it names none. */
static char choice_of(char c, uint32_t n_choices)
{
    char upper = cola_is_lower(c) ? (char)(c - 'a' + 'A') : c;
    return cola_is_upper(upper) && (uint32_t)(upper - 'A') < n_choices ? upper : '\0';
}

/* A whole word of lower-case letters at `at`, in either case; 0 if none of the list. */
static uint64_t one_of(struct cola_text text, uint64_t at, const char *const *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t length = strlen(word[i]);
        if (cola_text_has(text, at, word[i]) && !word_at(text, at + length)) return length;
    }
    return 0;
}

/* "A dog", "I think": an English word behind the letter, and none that may follow an answer. */
static bool is_english(struct cola_text text, uint64_t at)
{
    static const char *const after_answer[] = {"because", "since", "as",  "and",   "or",   "but",
                                               "for",     "is",    "due", "which", "with", "would"};
    char c = text.bytes[at];
    if (byte_at(text, at + 1) == '-' && word_at(text, at + 2)) return true; /* A-level */
    if (c != 'A' && c != 'a' && c != 'I' && c != 'i') return false;
    if (byte_at(text, at + 1) != ' ' || !cola_is_word(byte_at(text, at + 2))) return false;
    return one_of(text, at + 2, after_answer, sizeof after_answer / sizeof *after_answer) == 0;
}

static bool closes(char c)
{
    return c == ')' || c == ']' || c == '}' || c == '.' || c == ':' || c == ',' || c == '*' || c == '"';
}

/* The letter at `at`, if it stands alone there and is meant as a choice. */
static char letter_at(struct cola_text text, uint64_t at, bool bracket, uint32_t n_choices)
{
    char letter = choice_of(byte_at(text, at), n_choices), next = byte_at(text, at + 1);
    if (!letter || word_at(text, at + 1) || next == '\'') return '\0';
    if (at > 0 && (cola_is_word(text.bytes[at - 1]) || text.bytes[at - 1] == '\'')) return '\0';
    if (bracket && closes(next)) return letter;
    if (is_english(text, at)) return '\0';
    if (cola_is_upper(text.bytes[at])) return letter;
    bool ends = at + 1 == text.n_bytes || next == '\n' || next == '\r';
    return ends || next == ')' || next == '.' || next == ':' ? letter : '\0';
}

/* Skips brackets, dressing and \text{ before a letter; bounded. */
static uint64_t skip_dressing(struct cola_text text, uint64_t at, bool *bracket)
{
    uint64_t begin = at;
    *bracket = false;
    while (at < text.n_bytes && at - begin < LOOK_AHEAD) {
        char c = text.bytes[at];
        if (c == '(' || c == '[' || c == '{' || c == '*') *bracket = true;
        if (c == '\\') {
            uint64_t i = at + 1;
            while (i < text.n_bytes && i - at < 16 && cola_is_lower(text.bytes[i])) i++;
            if (byte_at(text, i) != '{' && byte_at(text, i) != '(') return at;
            at = i;
        } else if (!cola_is_space(c) && !(c && strchr("([{*_\"'$`:=>-#", c))) {
            return at;
        } else {
            at++;
        }
    }
    return at;
}

static char letter_from(struct cola_text text, uint64_t at, uint32_t n_choices)
{
    static const char *const name[] = {"option", "choice", "letter", "answer"};
    bool bracket;
    at = skip_dressing(text, at, &bracket);
    uint64_t n = one_of(text, at, name, sizeof name / sizeof *name);
    if (n > 0) at = skip_dressing(text, at + n, &bracket);
    return letter_at(text, at, bracket, n_choices);
}

static char in_boxes(struct cola_text text, uint32_t n_choices)
{
    struct cola_boxes boxes;
    char letter = '\0';
    cola_boxes_find(text, &boxes);
    for (uint32_t i = boxes.n; i > 0 && !letter; i--) letter = letter_from(boxes.box[i - 1], 0, n_choices);
    return letter;
}

/* What follows "answer", "choice", "option": words like "is", then the letter. */
static char after_keyword(struct cola_text text, uint64_t at, uint32_t n_choices)
{
    static const char *const filler[] = {"is",       "are",    "be",     "would",   "should",    "must",
                                         "choice",   "option", "letter", "the",     "to",        "this",
                                         "question", "most",   "likely", "correct", "therefore", "best",
                                         "of",       "here",   "then"};
    uint64_t begin = at;
    bool said = false; /* is, be, : or = */
    bool bracket;
    while (at < text.n_bytes && at - begin < LOOK_AHEAD) {
        uint64_t next = skip_dressing(text, at, &bracket);
        for (; at < next; at++) said = said || text.bytes[at] == ':' || text.bytes[at] == '=';
        uint64_t n = one_of(text, at, filler, sizeof filler / sizeof *filler);
        if (n == 0) break;
        said = said || cola_text_has(text, at, "is") || cola_text_has(text, at, "be") ||
               cola_text_has(text, at, "are");
        at += n;
    }
    return said ? letter_at(text, at, bracket, n_choices) : '\0';
}

static char explicit_answer(struct cola_text text, uint32_t n_choices)
{
    static const char *const keyword[] = {"answer", "choice", "option"};
    for (uint64_t at = 0; at < text.n_bytes; at++) {
        if (at > 0 && cola_is_word(text.bytes[at - 1])) continue;
        uint64_t n = one_of(text, at, keyword, sizeof keyword / sizeof *keyword);
        char letter = n > 0 ? after_keyword(text, at + n, n_choices) : '\0';
        if (letter) return letter;
    }
    return '\0';
}

static char first_marked(struct cola_text text, uint32_t n_choices)
{
    static const char *const keyword[] = {"option", "choice"};
    for (uint64_t at = 0; at < text.n_bytes; at++) {
        char c = text.bytes[at], letter = '\0';
        if (c == '(' && byte_at(text, at + 2) == ')') letter = choice_of(byte_at(text, at + 1), n_choices);
        if ((c == 'o' || c == 'O' || c == 'c' || c == 'C') &&
            (at == 0 || !cola_is_word(text.bytes[at - 1]))) {
            uint64_t n = one_of(text, at, keyword, sizeof keyword / sizeof *keyword);
            if (n > 0 && cola_is_upper(byte_at(text, at + n + 1)))
                letter = letter_at(text, at + n + 1, false, n_choices);
        }
        if (letter) return letter;
    }
    return '\0';
}

static char only_letter(struct cola_text text, uint32_t n_choices)
{
    char found = '\0';
    for (uint64_t at = 0; at < text.n_bytes; at++) {
        if (!cola_is_upper(text.bytes[at])) continue;
        char letter = letter_at(text, at, false, n_choices);
        if (letter && found && letter != found) return '\0';
        if (letter) found = letter;
    }
    return found;
}

enum cola_status cola_grade_letter(const struct cola_grading *grading, struct cola_text text,
                                   struct cola_grade *out)
{
    struct cola_text trimmed = cola_text_trim(grading->gold);
    uint32_t n = grading->n_choices;
    if (n < 1 || n > 26) return cola_fail(COLA_ERR_INPUT, "%u choices, letters name 1 to 26", (unsigned)n);
    char gold = trimmed.n_bytes == 1 ? choice_of(trimmed.bytes[0], n) : '\0';
    if (!gold)
        return cola_fail(COLA_ERR_INPUT, "gold answer '%.*s': expected a letter A to %c",
                         (int)(trimmed.n_bytes > 40 ? 40 : trimmed.n_bytes), trimmed.bytes,
                         (char)('A' + n - 1));
    char letter = in_boxes(text, n);
    if (!letter) letter = explicit_answer(text, n);
    if (!letter) letter = letter_from(text, 0, n);
    if (!letter) letter = first_marked(text, n);
    if (!letter) letter = only_letter(text, n);
    if (!letter) return COLA_OK;
    out->verdict = letter == gold ? COLA_GRADE_RIGHT : COLA_GRADE_WRONG;
    out->n_answers = 1;
    cola_grade_store(out, &letter, 1);
    return COLA_OK;
}
