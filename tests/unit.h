/* unit.h: cmocka with the headers that it wants first. */
#ifndef BINDOT_UNIT_H
#define BINDOT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
