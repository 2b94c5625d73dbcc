// Debian compiles libjansson.a for programs: json_loadf, which nothing here calls, addresses the C library's `stdin` in a way
// that only a program can. Linking with --wrap=stdin gives it this variable in its place.
#ifndef STANDARD_INPUT_H
#define STANDARD_INPUT_H

__attribute__((visibility("hidden"))) extern void *__wrap_stdin;

#endif
