/* Hostile checkpoints, of runs whose teacher is a callback of 2 x 2 pictures, or a network of four numbers or of pictures in colour. */
#define _GNU_SOURCE
#include "harness.h"

#include <stdio.h>
#include <string.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    return mutate_safetensors(data, size, capacity, &seed);
}

/* XXH64 with seed 0, which the last eight bytes of a checkpoint are of all before. */
static const uint64_t primes[5] = {UINT64_C(0x9E3779B185EBCA87), UINT64_C(0xC2B2AE3D27D4EB4F), UINT64_C(0x165667B19E3779F9),
                                   UINT64_C(0x85EBCA77C2B2AE63), UINT64_C(0x27D4EB2F165667C5)};
static uint64_t rotated(uint64_t number, int bits) { return number << bits | number >> (64 - bits); }
static uint64_t round_of(uint64_t lane, uint64_t word) { return rotated(lane + word * primes[1], 31) * primes[0]; }
static uint64_t word_at(const uint8_t *data, size_t bytes) {
    uint64_t word = 0;
    memcpy(&word, data, bytes);
    return word;
}

static uint64_t checksum(const uint8_t *data, size_t size) {
    uint64_t lanes[4] = {primes[0] + primes[1], primes[1], 0, 0 - primes[0]}, hash = primes[4];
    size_t place = 0;
    for (; place + 32 <= size; place += 32) {
        for (int i = 0; i < 4; i++) lanes[i] = round_of(lanes[i], word_at(data + place + 8 * (size_t)i, 8));
    }
    if (size >= 32) {
        hash = rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18);
        for (int i = 0; i < 4; i++) hash = (hash ^ round_of(0, lanes[i])) * primes[0] + primes[3];
    }
    hash += size;
    for (; place + 8 <= size; place += 8) hash = rotated(hash ^ round_of(0, word_at(data + place, 8)), 27) * primes[0] + primes[3];
    if (place + 4 <= size) {
        hash = rotated(hash ^ word_at(data + place, 4) * primes[0], 23) * primes[1] + primes[2];
        place += 4;
    }
    for (; place < size; place++) hash = rotated(hash ^ data[place] * primes[4], 11) * primes[0];
    hash = (hash ^ hash >> 33) * primes[1];
    hash = (hash ^ hash >> 29) * primes[2];
    return hash ^ hash >> 32;
}

static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    (void)user_data, (void)features;
    for (int64_t i = 0; i < count; i++) {
        logits[2 * i] = images[4 * i] - images[4 * i + 1];
        logits[2 * i + 1] = images[4 * i + 2] - images[4 * i + 3];
    }
    return 0;
}

/* The networks of Tests/Fuzz/seeds, by how many features a file says that its teacher has. */
static const struct {
    const char *features, *text;
} teachers[] = {
    {"\"teacher.features\":\"3\"", "mlp-4-3-2"},
    {"\"teacher.features\":\"4\"",
     "{\"input\":[3,4,4],\"nodes\":[{\"kind\":\"convolution\",\"outputs\":4,\"kernel\":3,\"padding\":1},{\"kind\":\"relu\"},"
     "{\"kind\":\"global_average_pool\"},{\"kind\":\"flatten\",\"name\":\"flat\"},{\"kind\":\"linear\",\"outputs\":2}],"
     "\"feature\":\"flat\"}"},
};

static dafl_network *network_of(const uint8_t *data, size_t size) {
    static dafl_network *networks[2];
    for (int i = 0; i < 2; i++) {
        if (!memmem(data, size, teachers[i].features, strlen(teachers[i].features))) continue;
        if (!networks[i]) REQUIRE(dafl_network_create(teachers[i].text, 1, &networks[i]) == DAFL_OK);
        return networks[i];
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t bytes[LARGEST_INPUT];
    if (size < 16 || size > LARGEST_INPUT) return 0;
    memcpy(bytes, data, size);
    /* Else nothing behind the checksum is ever reached, nor behind the version in a corpus that is older than the library. */
    unsigned choice = data[size - 1];
    if (choice & 1) {
        char version[32], key[] = "\"version\":\"";
        int length = snprintf(version, sizeof version, "%d.%d\"", DAFL_VERSION_MAJOR, DAFL_VERSION_MINOR);
        uint8_t *found = memmem(bytes, size, key, sizeof key - 1);
        if (found && found + sizeof key - 1 + length < bytes + size) memcpy(found + sizeof key - 1, version, (size_t)length);
        uint64_t sum = checksum(bytes, size - 8);
        memcpy(bytes + size - 8, &sum, 8);
    }
    dafl_network *network = network_of(data, size);
    dafl_teacher teacher;
    REQUIRE(dafl_teacher_init(&teacher, sizeof teacher) == DAFL_OK);
    if (network && choice % 16 != 9) {
        teacher.network = network;
    } else {
        teacher.input_shape[0] = 1, teacher.input_shape[1] = teacher.input_shape[2] = 2;
        teacher.classes = 2;
        teacher.forward = forward;
        teacher.answers = DAFL_ANSWERS_LOGITS;
    }
    dafl_distillation_options options;
    REQUIRE(dafl_distillation_options_init(&options, sizeof options) == DAFL_OK);
    options.threads = 1;
    dafl_distillation *distillation = NULL;
    memory_begin();
    dafl_status status =
        dafl_distillation_load_memory(bytes, (int64_t)size, &teacher, choice & 4 ? NULL : &options, &distillation);
    memory_end(size, 8 << 20);
    require_answer(status, distillation);
    if (!distillation) return 0;

    dafl_progress progress = {.struct_size = sizeof progress};
    REQUIRE(dafl_distillation_progress(distillation, &progress) == DAFL_OK);
    status = dafl_distillation_step(distillation, &progress);
    REQUIRE(status == DAFL_OK || status == DAFL_ERROR_DIVERGED || status == DAFL_ERROR_TEACHER || status == DAFL_QUERIES_SPENT ||
            status == DAFL_ERROR_OUT_OF_MEMORY);
    int64_t taken = 0;
    REQUIRE(dafl_distillation_save_memory(distillation, NULL, 0, &taken) == DAFL_OK && taken > 0);
    dafl_network *student = NULL;
    status = dafl_distillation_student(distillation, &student);
    REQUIRE(status == DAFL_OK || status == DAFL_ERROR_DIVERGED || status == DAFL_ERROR_OUT_OF_MEMORY);
    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
    return 0;
}
