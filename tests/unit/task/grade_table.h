/* grade_table.h - reads the tables of tests/data/grades: lines of columns separated by tabs, # begins a
 * comment. */
#ifndef COLA_TEST_GRADE_TABLE_H
#define COLA_TEST_GRADE_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/grade.h"

enum { GRADE_COLUMNS_MAX = 5 };

struct grade_table {
    FILE *file;
    char line[4096];
    char *column[GRADE_COLUMNS_MAX];
    int n_columns;
};

static inline void grade_table_open(struct grade_table *table, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/grades/%s", COLA_TEST_DATA, name);
    table->file = fopen(path, "r");
    if (!table->file) fprintf(stderr, "%s: cannot be opened\n", path);
}

static inline bool grade_table_next(struct grade_table *table)
{
    if (!table->file) return false;
    while (fgets(table->line, sizeof table->line, table->file)) {
        table->line[strcspn(table->line, "\n")] = '\0';
        table->n_columns = 0;
        for (char *at = table->line; at && table->n_columns < GRADE_COLUMNS_MAX;) {
            table->column[table->n_columns++] = at;
            at = strchr(at, '\t');
            if (at) *at++ = '\0';
        }
        if (table->line[0] != '#') return true;
    }
    fclose(table->file);
    table->file = NULL;
    return false;
}

/* \n and \xHH in place; returns the length. */
static inline size_t grade_table_unescape(char *text)
{
    char *to = text;
    for (char *from = text; *from;) {
        if (from[0] == '\\' && from[1] == 'n' && (from[2] < 'a' || from[2] > 'z')) {
            *to++ = '\n';
            from += 2;
        } else if (from[0] == '\\' && from[1] == 'x') {
            char digits[3] = {from[2], from[3], '\0'};
            *to++ = (char)strtoul(digits, NULL, 16);
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static inline struct cola_text text_of(const char *string)
{
    return (struct cola_text){string, strlen(string)};
}

#endif
