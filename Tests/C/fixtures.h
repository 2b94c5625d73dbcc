/* What several tests need: numbers, networks, and a teacher that is honest or not, as asked. */
#ifndef FIXTURES_H
#define FIXTURES_H

#include <dafl.h>
#include <stdbool.h>
#include <stddef.h>

void fill_random(float *numbers, int64_t count, uint64_t seed); /* uniform in [-1, 1) */
bool all_bytes_are(unsigned char wanted, const void *bytes, size_t count);

/* NULL, and a failed check, when the library cannot make it. */
dafl_network *make_network(const char *architecture, uint64_t seed);

/* All tensors of both have the same names, shapes and bytes. */
bool same_network(dafl_network *a, dafl_network *b);

/* A distillation so small that it takes no time, for 8x8 pictures and 4 classes. */
dafl_distillation_options small_options(void);

typedef enum {
    HONEST,
    NAN_LOGITS,
    INFINITE_LOGITS,
    NO_LOGITS, /* returns without writing anything */
    NAN_FEATURES,
    NAN_GRADIENT,
    NO_GRADIENT,
    HALF_GRADIENT,
    NEGATED_GRADIENT,
    FEATURES_FORGOTTEN /* the gradient by the logits is right, that by the features left out */
} fault;

/*
 * features = tanh(A x), logits = B features, with the exact vector-Jacobian product. x is an 8x8 picture.
 */
typedef struct test_teacher {
    bool shows_features;
    bool as_probabilities; /* answers the softmax of its logits */
    fault fault;
    int answer;                        /* returned by forward */
    int backward_answer;               /* returned by backward */
    void (*during_forward)(void *);    /* called at the start of forward */
    void *during_forward_data;
    int64_t calls, forward_images, backward_images;
    float a[8][64], b[4][8];
} test_teacher;

dafl_teacher make_teacher(test_teacher *state, bool shows_features);

#endif
