/* latex_clean.c - one spelling for each thing: sizes, spacing, dollar signs and dressing go, synonyms become
 * one sign, UTF-8 signs become what LaTeX writes for them, \text{..} becomes quoted words. Braces and fonts
 * around a whole answer go first. One pass, output bounded by four bytes for each input byte. Knows no
 * grammar; the signs are listed in latex.h. */
#include "task/latex.h"

#include <string.h>

struct spelling {
    const char *from, *to;
};

/* Commands without their backslash, followed by no letter. To "": dropped. */
static const struct spelling command[] = {
    {"left", ""},          {"right", ""},
    {"big", ""},           {"Big", ""},
    {"bigl", ""},          {"bigr", ""},
    {"Bigl", ""},          {"Bigr", ""},
    {"bigg", ""},          {"Bigg", ""},
    {"displaystyle", ""},  {"textstyle", ""},
    {"limits", ""},        {"boxed", ""},
    {"fbox", ""},          {"degree", ""},
    {"degrees", ""},       {"quad", " "},
    {"qquad", " "},        {"dfrac", "\\frac"},
    {"tfrac", "\\frac"},   {"cfrac", "\\frac"},
    {"frac", "\\frac"},    {"dbinom", "\\binom"},
    {"tbinom", "\\binom"}, {"cdot", "*"},
    {"times", "*"},        {"ast", "*"},
    {"div", "/"},          {"pm", "\x03"},
    {"mp", "\x04"},        {"le", "\x05"},
    {"leq", "\x05"},       {"leqslant", "\x05"},
    {"ge", "\x06"},        {"geq", "\x06"},
    {"geqslant", "\x06"},  {"lt", "<"},
    {"gt", ">"},           {"ne", "\x07"},
    {"neq", "\x07"},       {"in", "\x0e"},
    {"cup", "\x0f"},       {"dots", "\x10"},
    {"ldots", "\x10"},     {"cdots", "\x10"},
    {"lbrace", "\x01"},    {"rbrace", "\x02"},
    {"lvert", "|"},        {"rvert", "|"},
    {"vert", "|"},         {"mid", "|"},
    {"colon", ":"},        {"approx", "="},
    {"equiv", "="},        {"lbrack", "["},
    {"rbrack", "]"},       {"varnothing", "\\emptyset"},
    {"land", ","},         {"lor", ","},
    {"boldsymbol", ""},    {"bm", ""},
    {"pmb", ""},           {"scriptstyle", ""},
};

/* Commands of one sign that is no letter. */
static const struct spelling escaped[] = {
    {"!", ""},     {",", " "},    {";", " "}, {":", " "}, {" ", " "}, {"/", ""}, {"$", ""},  {"%", "%"},
    {"{", "\x01"}, {"}", "\x02"}, {"(", ""},  {")", ""},  {"[", ""},  {"]", ""}, {"|", "|"},
};

static const struct spelling plain[] = {
    {"$", ""},
    {"~", " "},
    {"\n", " "},
    {"\r", " "},
    {"\t", " "},
    {"{,}", ","},
    {"^\\circ", ""},
    {"^{\\circ}", ""},
    {"^{\\circ }", ""},
    {"^ \\circ", ""},
    {"+/-", "\x03"},
    {"<=", "\x05"},
    {">=", "\x06"},
    {"**", "^"},
    {"...", "\x10"},
    {"\xc2\xb0", ""},         /* degree sign */
    {"\xc2\xa3", ""},         /* pound sterling */
    {"\xe2\x82\xac", ""},     /* euro */
    {"\xc2\xa0", " "},        /* no-break space */
    {"\xe2\x80\x89", " "},    /* thin space */
    {"\xe2\x80\xaf", " "},    /* narrow no-break space */
    {"\xe2\x88\x92", "-"},    /* minus sign */
    {"\xe2\x80\x93", "-"},    /* en dash */
    {"\xc3\x97", "*"},        /* multiplication sign */
    {"\xc2\xb7", "*"},        /* middle dot */
    {"\xc3\xb7", "/"},        /* division sign */
    {"\xe2\x81\x84", "/"},    /* fraction slash */
    {"\xc2\xb1", "\x03"},     /* plus-minus */
    {"\xe2\x89\xa4", "\x05"}, /* less or equal */
    {"\xe2\x89\xa5", "\x06"}, /* greater or equal */
    {"\xe2\x89\xa0", "\x07"}, /* not equal */
    {"\xe2\x88\x88", "\x0e"}, /* element of */
    {"\xe2\x88\xaa", "\x0f"}, /* union */
    {"\xe2\x80\xa6", "\x10"}, /* ellipsis */
    {"\xcf\x80", "\\pi "},    /* pi */
    {"\xe2\x88\x9e", "\\infty "},
    {"\xe2\x88\x9a", "\\sqrt"},
    {"\xc2\xb2", "^2"},
    {"\xc2\xb3", "^3"},
    {"\xc2\xbd", " 1/2"},
    {"\xc2\xbc", " 1/4"},
    {"\xc2\xbe", " 3/4"},
    {"\xe2\x88\x85", "\\emptyset"},
};

/* Around words; the braces that follow hold text, not mathematics. */
static const char *const words[] = {"text",   "mbox",   "hbox",   "textbf", "textit",       "textrm",
                                    "textsf", "texttt", "mathrm", "mathbf", "operatorname", "textnormal",
                                    "mathit", "mathsf", "emph",   "mathop"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct output {
    char *bytes;
    size_t n;
};

static void put(struct output *out, const char *bytes, size_t n)
{
    if (n > LATEX_CLEAN_MAX - out->n) n = LATEX_CLEAN_MAX - out->n;
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
}

static bool begins(const char *text, size_t n, const char *with)
{
    size_t length = strlen(with);
    return length <= n && memcmp(text, with, length) == 0;
}

/* Length of the braces at text, both included; 0 if they do not close. */
static size_t braces(const char *text, size_t n)
{
    size_t depth = 0;
    if (n == 0 || text[0] != '{') return 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\') {
            i++;
        } else if (text[i] == '{') {
            depth++;
        } else if (text[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static size_t count_letters(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += is_letter(text[i]);
    return count;
}

/* \text{...}: words in quotes; without letters, or a single one as in \mathrm{e}, it is mathematics. */
static size_t clean_words(const char *text, size_t n, bool upright, struct output *out)
{
    size_t length = braces(text, n);
    if (length == 0) return 0;
    const char *inside = text + 1;
    size_t n_inside = length - 2, letters = count_letters(inside, n_inside);
    if (letters == 0 || (upright && letters == 1 && n_inside == 1) || memchr(inside, '\\', n_inside)) {
        put(out, " ", 1);
        return 1; /* only the opening brace is taken; the rest is read as mathematics */
    }
    put(out, "\x12", 1);
    for (size_t i = 0; i < n_inside; i++)
        if ((unsigned char)inside[i] >= 32 && inside[i] != '$') put(out, inside + i, 1);
    put(out, "\x12", 1);
    return length;
}

static size_t clean_command(const char *text, size_t n, struct output *out)
{
    size_t length = 1, after;
    while (length < n && is_letter(text[length])) length++;
    for (after = length; after < n && text[after] == ' ';) after++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (length - 1 == strlen(words[i]) && memcmp(text + 1, words[i], length - 1) == 0) {
            size_t taken = clean_words(text + after, n - after, begins(words[i], 5, "math"), out);
            if (taken > 1) return after + taken;
            return after; /* braces stay, as a group */
        }
    for (size_t i = 0; i < sizeof command / sizeof *command; i++)
        if (length - 1 == strlen(command[i].from) && memcmp(text + 1, command[i].from, length - 1) == 0) {
            put(out, command[i].to, strlen(command[i].to));
            bool side = command[i].from[0] == 'l' || command[i].from[0] == 'r';
            if (side && length < n && text[length] == '.' && (length == 5 || length == 6)) length++;
            if (command[i].to[0] == '\\' && length < n && text[length] == ' ') length++;
            return length;
        }
    put(out, text, length);
    return length;
}

static size_t clean_one(const char *text, size_t n, struct output *out)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (begins(text, n, plain[i].from)) {
            put(out, plain[i].to, strlen(plain[i].to));
            return strlen(plain[i].from);
        }
    if (text[0] != '\\') {
        if ((unsigned char)text[0] >= 32) put(out, text, 1);
        return 1;
    }
    if (n == 1) return 1;
    if (is_letter(text[1])) return clean_command(text, n, out);
    if (text[1] == '\\') {
        put(out, "\x11", 1);
        return 2;
    }
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++)
        if (text[1] == escaped[i].from[0]) {
            put(out, escaped[i].to, strlen(escaped[i].to));
            return 2;
        }
    return 1;
}

/* --- what encloses a whole answer ----------------------------------------------------------------------- */

struct span {
    const char *text;
    size_t n;
};

/* Spaces, dollars and a last period, none of which an answer needs; not the sign of \$ or of a last "\ ". */
static struct span trim(struct span span)
{
    static const char before[] = " \t\r\n$", after[] = " \t\r\n$.,;";
    while (span.n > 0 && memchr(before, span.text[0], sizeof before - 1)) span.text++, span.n--;
    while (span.n > 1 && memchr(after, span.text[span.n - 1], sizeof after - 1) &&
           span.text[span.n - 2] != '\\')
        span.n--;
    return span;
}

/* May the braces of this font go, so that what they hold is read as if it stood alone? Not where they hold
 * words: \mathrm{on} is no product. A sign of mathematics tells. */
static bool is_around_mathematics(const char *name, size_t n_name, struct span inside)
{
    static const char *const bold[] = {"boldsymbol", "bm", "pmb", "displaystyle", "textstyle", "scriptstyle"};
    static const char signs[] = "()[]{}\\,=<>+-*/^|";
    for (size_t i = 0; i < sizeof bold / sizeof *bold; i++)
        if (n_name == strlen(bold[i]) && memcmp(name, bold[i], n_name) == 0) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (n_name != strlen(words[i]) || memcmp(name, words[i], n_name) != 0) continue;
        if (count_letters(inside.text, inside.n) == 0 || memchr(inside.text, '\\', inside.n)) return true;
        for (size_t j = 0; begins(name, n_name, "math") && j < inside.n; j++)
            if (memchr(signs, inside.text[j], sizeof signs - 1)) return true;
    }
    return false;
}

/* {(1,2)}, \mathbf{(1,2)}, \displaystyle (1,2): true if one wrapper was taken off. */
static bool unwrap(struct span *span)
{
    static const char *const style[] = {"displaystyle", "textstyle", "scriptstyle", "bf", "rm"};
    const char *name = span->text + 1;
    size_t n_name = 0, at = 0;
    if (span->n > 0 && span->text[0] == '\\') {
        while (n_name + 1 < span->n && is_letter(name[n_name])) n_name++;
        if (n_name == 0) return false;
        for (at = n_name + 1; at < span->n && span->text[at] == ' ';) at++;
    }
    size_t length = braces(span->text + at, span->n - at);
    if (length > 2 && at + length == span->n) {
        struct span inside = trim((struct span){span->text + at + 1, length - 2});
        if (inside.n == 0 || (n_name > 0 && !is_around_mathematics(name, n_name, inside))) return false;
        *span = inside;
        return true;
    }
    for (size_t i = 0; i < sizeof style / sizeof *style; i++) {
        if (n_name != strlen(style[i]) || memcmp(name, style[i], n_name) != 0 || at == span->n) continue;
        *span = (struct span){span->text + at, span->n - at};
        return true;
    }
    return false;
}

static struct span unwrap_all(struct span span)
{
    span = trim(span);
    for (int i = 0; i < LATEX_DEPTH_MAX && unwrap(&span);) i++; /* each in one pass over the answer */
    return span;
}

size_t latex_clean(const char *text, size_t n, char *out)
{
    struct output output = {out, 0};
    while (n >= 2 && begins(text, n, "**")) text += 2, n -= 2; /* bold in Markdown */
    while (n >= 2 && text[n - 1] == '*' && text[n - 2] == '*') n -= 2;
    struct span bare = unwrap_all((struct span){text, n});
    for (size_t at = 0; at < bare.n;) at += clean_one(bare.text + at, bare.n - at, &output);
    size_t end = output.n, begin = 0;
    while (begin < end && (out[begin] == ' ' || out[begin] == ':')) begin++;
    while (end > begin && strchr(" .,;:", out[end - 1]) && out[end - 1]) end--;
    memmove(out, out + begin, end - begin);
    return end - begin;
}
