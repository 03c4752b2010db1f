/* latex.h - answers written in LaTeX as values that can be compared: the inside of the `boxed` grader.
 *
 *     struct latex *latex;                                  one workspace, everything bounded
 *     COLA_TRY(latex_create(&latex));
 *     struct latex_answer gold, given;
 *     latex_read(latex, "\\frac12", 7, &gold);              always gives something: at worst text
 *     latex_read(latex, "0.5", 3, &given);
 *     latex_equal(latex, &gold, &given);                    true
 *     latex_destroy(latex);
 *
 * The way of an answer: bytes -> latex_clean (spelling) -> latex_answer (lists, intervals, relations) ->
 * latex_parse (expressions) -> latex_value (exact normal form) -> latex_equal, latex_print. A value is a sum
 * of terms: rational * square root of a square-free integer * integer powers of atoms. Atoms are variables,
 * pi, i, and whatever is not computed (sin(x), a fourth root, 1/(x+1)), named by its canonical text. Whoever
 * runs out of a bound (digits, terms, depth, budget) returns false, and the answer is compared as text. */
#ifndef COLA_TASK_LATEX_H
#define COLA_TASK_LATEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

enum {
    LATEX_ANSWER_MAX = 512, /* bytes of an answer that is read; a longer one is no answer */
    LATEX_CLEAN_MAX = 2048, /* bytes after cleaning: at most 4 for each */
    LATEX_ATOMS_MAX = 256,
    LATEX_NAMES_MAX = 16384,
    LATEX_NAME_MAX = 255,   /* bytes of an atom's canonical text */
    LATEX_TERM_POWERS = 8,  /* different atoms in a term */
    LATEX_VALUE_TERMS = 64, /* terms in a sum */
    LATEX_ARENA_TERMS = 4096,
    LATEX_NODES_MAX = 512,
    LATEX_CHILDREN_MAX = 32, /* items of a list */
    LATEX_DEPTH_MAX = 32,    /* brackets within brackets */
    LATEX_BUDGET = 60000     /* products of terms for all answers of a text */
};

typedef __int128 latex_int;

/* --- latex_rational.c: lowest terms, den > 0; false on overflow of 128 bits, outputs then untouched --- */
struct latex_rational {
    latex_int num, den;
};
bool latex_int_mul(latex_int a, latex_int b, latex_int *out);
bool latex_int_add(latex_int a, latex_int b, latex_int *out);
latex_int latex_int_gcd(latex_int a, latex_int b); /* >= 0; arguments above the least integer */
bool latex_rational_make(latex_int num, latex_int den, struct latex_rational *out); /* false for den 0 */
bool latex_rational_add(struct latex_rational a, struct latex_rational b, struct latex_rational *out);
bool latex_rational_mul(struct latex_rational a, struct latex_rational b, struct latex_rational *out);
bool latex_rational_equal(struct latex_rational a, struct latex_rational b);
/* A numeral "1234.56" or ".5" over digits and at most one '.'; false for anything else. */
bool latex_rational_read(const char *text, size_t n, struct latex_rational *out);

/* --- latex_print.c: text into a bounded buffer --- */
struct latex_text {
    char *bytes;
    size_t n, room; /* n < room: there is space for NUL */
    bool cut;
};
void latex_put(struct latex_text *text, const char *bytes, size_t n);
void latex_put_string(struct latex_text *text, const char *string);
void latex_put_int(struct latex_text *text, latex_int number);
void latex_put_rational(struct latex_text *text, struct latex_rational number);

/* --- the workspace --- */
struct latex_power {
    uint16_t atom;
    int16_t exponent; /* never 0 */
};
struct latex_term {
    struct latex_rational factor; /* never 0 */
    uint32_t radicand;            /* square-free, >= 1 */
    uint32_t n_powers;
    struct latex_power power[LATEX_TERM_POWERS]; /* by name */
};
struct latex_value { /* a sum: terms [first, first + n), in canonical order; n = 0 is zero */
    uint32_t first, n;
    uint32_t n_factors; /* sums that stand as factors in a product: (x+1)(x-2) has 2, its expansion 0 */
};

enum latex_kind {
    LATEX_TEXT,     /* words, or whatever could not be read: compared as text */
    LATEX_VALUE,    /* an expression */
    LATEX_LIST,     /* 1, 2 without brackets: any order */
    LATEX_BRACKET,  /* (1,2) [1,2) : tuples and intervals, in order */
    LATEX_SET,      /* \{1,2\} : any order */
    LATEX_UNION,    /* intervals, any order */
    LATEX_MATRIX,   /* rows of equal length */
    LATEX_RELATION, /* two sides with = < <= != between */
    LATEX_RATIO     /* 2:3 */
};
struct latex_node {
    uint8_t kind;
    char open, close;   /* LATEX_BRACKET; LATEX_RELATION: open is the sign */
    char half_day;      /* 'a' or 'p' where a.m. or p.m. stood, else 0 */
    bool letter_unit;   /* 5 m: the letter behind the blank may be a unit */
    bool percent;       /* a percent sign stood behind the value */
    bool named;         /* LATEX_RELATION with =: the first side is a mere name */
    bool words;         /* LATEX_TEXT: words, not leftovers */
    uint32_t n_columns; /* LATEX_MATRIX */
    struct latex_value value;
    uint32_t text, n_text; /* LATEX_TEXT: in the names */
    uint32_t child, n_children;
};

struct latex {
    struct latex_term term[LATEX_ARENA_TERMS];
    uint32_t n_terms;
    struct latex_node node[LATEX_NODES_MAX];
    uint32_t n_nodes;
    uint32_t child[LATEX_NODES_MAX];
    uint32_t n_children;
    char names[LATEX_NAMES_MAX];
    uint32_t n_names;
    uint32_t atom[LATEX_ATOMS_MAX]; /* where an atom's NUL-terminated name begins */
    uint32_t n_atoms;
    int32_t budget;
};

struct latex_answer {
    uint32_t node;
    uint32_t work; /* set of enum latex_work: what was still to be computed */
    uint32_t n_factors;
    bool empty; /* nothing but spaces and punctuation */
};

enum latex_work {
    LATEX_WORK_SUM = 1,
    LATEX_WORK_PRODUCT = 2,
    LATEX_WORK_POWER = 4,
    LATEX_WORK_ROOT = 8,
    LATEX_WORK_FRACTION = 16,
    LATEX_WORK_FUNCTION = 32
};

struct latex_mark {
    uint32_t n_terms, n_nodes, n_children, n_names, n_atoms;
};

enum cola_status latex_create(struct latex **out);
void latex_destroy(struct latex *latex);
struct latex_mark latex_mark(const struct latex *latex);
void latex_reset(struct latex *latex, struct latex_mark mark); /* forgets what was read since */

/* --- latex_value.c, latex_root.c: exact arithmetic; false: a bound was met --- */
enum { LATEX_ATOM_I = 0, LATEX_ATOM_INFINITY = 1 }; /* the first atoms of every workspace */
bool latex_atom(struct latex *latex, const char *name, size_t n, uint16_t *out);
const char *latex_atom_name(const struct latex *latex, uint16_t atom);
bool latex_value_rational(struct latex *latex, struct latex_rational number, struct latex_value *out);
bool latex_value_integer(struct latex *latex, latex_int number, struct latex_value *out);
bool latex_value_atom(struct latex *latex, const char *name, size_t n, struct latex_value *out);
bool latex_value_insert(struct latex *latex, struct latex_value *value, const struct latex_term *term);
bool latex_value_add(struct latex *latex, struct latex_value a, struct latex_value b,
                     struct latex_value *out);
bool latex_value_mul(struct latex *latex, struct latex_value a, struct latex_value b,
                     struct latex_value *out);
bool latex_value_div(struct latex *latex, struct latex_value a, struct latex_value b,
                     struct latex_value *out);
bool latex_value_scale(struct latex *latex, struct latex_value a, struct latex_rational by,
                       struct latex_value *out);
bool latex_value_negate(struct latex *latex, struct latex_value a, struct latex_value *out);
bool latex_value_power(struct latex *latex, struct latex_value base, struct latex_value exponent,
                       uint32_t *work, struct latex_value *out);
bool latex_value_root(struct latex *latex, uint32_t k, struct latex_value a, uint32_t *work,
                      struct latex_value *out);
/* An atom named `name(canonical text of a)`. */
bool latex_value_apply(struct latex *latex, const char *name, struct latex_value a, struct latex_value *out);
bool latex_value_equal(const struct latex *latex, struct latex_value a, struct latex_value b);
/* Is b = q * a with a rational q other than 0? (a = b = 0 counts; then q = 1) */
bool latex_value_proportional(const struct latex *latex, struct latex_value a, struct latex_value b,
                              struct latex_rational *q);
bool latex_value_is_rational(const struct latex *latex, struct latex_value a, struct latex_rational *out);
bool latex_value_is_constant(const struct latex *latex, struct latex_value a); /* no variable */
void latex_print_value(const struct latex *latex, struct latex_value value, struct latex_text *out);

/* --- latex_clean.c: one spelling for each thing; bytes below 32 stand for signs of their own --- */
enum {
    SIGN_SET_OPEN = 1,
    SIGN_SET_CLOSE = 2,
    SIGN_PLUS_MINUS = 3,
    SIGN_MINUS_PLUS = 4,
    SIGN_LESS_EQUAL = 5,
    SIGN_GREATER_EQUAL = 6,
    SIGN_NOT_EQUAL = 7,
    SIGN_IN = 14,
    SIGN_UNION = 15,
    SIGN_DOTS = 16,
    SIGN_ROW = 17,
    SIGN_QUOTE = 18 /* around \text{..} */
};
/* Returns the cleaned length; out has LATEX_CLEAN_MAX bytes, n <= LATEX_ANSWER_MAX. */
size_t latex_clean(const char *text, size_t n, char *out);

/* --- latex_parse.c: one expression --- */
struct latex_parser {
    struct latex *latex;
    const char *text;
    size_t n, at;
    uint32_t depth;
    int sign;       /* what \pm stands for in this reading: +1 or -1 */
    bool saw_sign;  /* a \pm was met */
    bool thousands; /* 1,234 is one number in this reading */
    bool saw_thousands;
    uint32_t work;
};
bool latex_parse_sum(struct latex_parser *parser, struct latex_value *out);
/* latex_function.c. What a name at parser->at - n means; command: a backslash stood before it. */
bool latex_parse_function(struct latex_parser *parser, const char *name, size_t n, bool command, bool *known,
                          struct latex_value *out);
bool latex_parse_argument(struct latex_parser *parser, bool one_digit, struct latex_value *out);
bool latex_parse_power(struct latex_parser *parser, struct latex_value *out);
bool latex_parse_numeral(struct latex_parser *parser, struct latex_rational *out, bool *whole);
void latex_skip_spaces(struct latex_parser *parser);
size_t latex_word(const struct latex_parser *parser); /* letters from here on */
bool latex_is_prose(const char *word, size_t n);      /* a word, not a product of variables */
bool latex_is_unit(const char *word, size_t n);
/* Does the command (without its backslash) stand here? Skips it if so. */
bool latex_accept_command(struct latex_parser *parser, const char *name);

/* --- latex_answer.c, latex_relation.c, latex_equal.c --- */
void latex_read(struct latex *latex, const char *text, size_t n, struct latex_answer *out);
/* The same with 1,234 read as a list; true if that may differ. Else *out is not to be used. */
bool latex_read_as_list(struct latex *latex, const char *text, size_t n, struct latex_answer *out);
bool latex_node_create(struct latex *latex, enum latex_kind kind, uint32_t *out);
bool latex_node_children(struct latex *latex, uint32_t node, const uint32_t *child, uint32_t n);
/* A node for a chain of n sides with signs between; is_name says that the first side is a mere name. */
bool latex_relation(struct latex *latex, const uint32_t *side, const char *sign, uint32_t n, bool is_name,
                    uint32_t *out);
bool latex_is_variable(const struct latex *latex, uint32_t node); /* a value that is one atom, no constant */
bool latex_equal(struct latex *latex, const struct latex_answer *gold, const struct latex_answer *given);
void latex_print(const struct latex *latex, const struct latex_answer *answer, struct latex_text *out);

#endif
