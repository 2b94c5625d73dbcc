#include "include/standard_input.h"

void *__wrap_stdin;
