/* grade_bytes.h - questions about single bytes, for graders: ASCII only, whatever the locale says. */
#ifndef COLA_TASK_GRADE_BYTES_H
#define COLA_TASK_GRADE_BYTES_H

#include <stdbool.h>

static inline bool cola_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool cola_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool cola_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool cola_is_letter(char c)
{
    return cola_is_upper(c) || cola_is_lower(c);
}

/* Part of a word: a letter, a digit, or any byte of a UTF-8 sign. */
static inline bool cola_is_word(char c)
{
    return cola_is_letter(c) || cola_is_digit(c) || (unsigned char)c >= 0x80;
}

static inline bool cola_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline char cola_to_lower(char c)
{
    return cola_is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

#endif
