/* Tables for people: columns as wide as their widest cell, numbers to the right. */
#ifndef TANDEM_CTL_TABLE_H
#define TANDEM_CTL_TABLE_H
#include <stddef.h>
#include <stdio.h>

struct table;
struct table *table_new(size_t columns); /* NULL: no memory */
struct table *table_free(struct table *t);
void table_column(struct table *t, size_t column, const char *title); /* copies */
/* the next cell, row by row; copies, control characters become '?' */
void table_add(struct table *t, const char *text);
/* A column whose cells are all numbers or empty stands right. Nothing is printed but the titles when there are no rows. */
void table_print(const struct table *t, FILE *f);
/* characters of a UTF-8 text */
size_t table_width(const char *text);
#endif
