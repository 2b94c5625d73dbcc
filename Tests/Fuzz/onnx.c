/* Hostile ONNX files. */
#include "harness.h"

#include <string.h>

/* ----------------------------------------------------------------------------------------- changes that keep the lengths */

static bool read_varint(const uint8_t *data, size_t end, size_t *place, uint64_t *number) {
    *number = 0;
    for (int shift = 0; shift < 64 && *place < end; shift += 7) {
        uint8_t byte = data[(*place)++];
        *number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static size_t write_varint(uint8_t *data, uint64_t number) {
    size_t size = 0;
    while (number >= 0x80) data[size++] = (uint8_t)number | 0x80, number >>= 7;
    data[size++] = (uint8_t)number;
    return size;
}

typedef struct field {
    size_t start, content, end; /* of its key, of what follows key and length, and its end */
    bool is_slice;
} field;

static bool read_field(const uint8_t *data, size_t end, size_t place, field *out) {
    uint64_t key, length;
    out->start = place;
    if (!read_varint(data, end, &place, &key) || key >> 3 == 0) return false;
    out->is_slice = (key & 7) == 2;
    out->content = place;
    switch (key & 7) {
    case 0:
        if (!read_varint(data, end, &place, &length)) return false;
        out->end = place;
        return true;
    case 1: out->end = place + 8; break;
    case 2:
        if (!read_varint(data, end, &place, &length) || length > end - place) return false;
        out->content = place;
        out->end = place + (size_t)length;
        break;
    case 5: out->end = place + 4; break;
    default: return false;
    }
    return out->end <= end;
}

static size_t count_fields(const uint8_t *data, size_t start, size_t end) {
    size_t count = 0;
    field next;
    while (start < end) {
        if (!read_field(data, end, start, &next)) return 0;
        start = next.end;
        count++;
    }
    return count;
}

static uint8_t tail[LARGEST_INPUT], scratch[LARGEST_INPUT];

/* Changes one field somewhere within the message [start, end) and returns its new end. */
static size_t mutate_message(uint8_t *data, size_t start, size_t end, size_t capacity, unsigned *seed, int depth) {
    size_t count = count_fields(data, start, end);
    if (count == 0) return start + LLVMFuzzerMutate(data + start, end - start, capacity - start);
    field chosen = {0};
    size_t place = start;
    for (size_t i = random_below(seed, (unsigned)count) + 1; i > 0; i--, place = chosen.end) {
        read_field(data, end, place, &chosen);
    }
    size_t rest = end - chosen.end, whole = chosen.end - chosen.start;
    memcpy(tail + 0, data + chosen.end, rest);
    unsigned way = random_below(seed, 16);
    if (way == 0) { /* leave it out */
        memcpy(data + chosen.start, tail, rest);
        return chosen.start + rest;
    }
    if (way == 1 && end + whole <= capacity) { /* say it twice */
        memcpy(data + chosen.end, data + chosen.start, whole);
        memcpy(data + chosen.end + whole, tail, rest);
        return end + whole;
    }
    if (!chosen.is_slice) {
        size_t changed = LLVMFuzzerMutate(data + chosen.content, chosen.end - chosen.content, chosen.end - chosen.content + 4);
        if (chosen.content + changed + rest > capacity) changed = chosen.end - chosen.content;
        memcpy(data + chosen.content + changed, tail, rest);
        return chosen.content + changed + rest;
    }
    size_t length = chosen.end - chosen.content, room = capacity - rest - 10;
    if (capacity < rest + 10 || room <= chosen.content) return end;
    static uint8_t outer[8][LARGEST_INPUT]; /* the tails of the messages around this one */
    memcpy(outer[depth], tail, rest);
    size_t changed;
    if (depth < 7 && length > 0 && way < 14 && count_fields(data, chosen.content, chosen.end) > 0) {
        changed = mutate_message(data, chosen.content, chosen.end, room, seed, depth + 1) - chosen.content;
    } else {
        changed = LLVMFuzzerMutate(data + chosen.content, length, room - chosen.content);
    }
    memcpy(scratch, data + chosen.content, changed);
    uint64_t key;
    size_t at = chosen.start;
    read_varint(data, end, &at, &key);
    at += write_varint(data + at, changed);
    memcpy(data + at, scratch, changed);
    memcpy(data + at + changed, outer[depth], rest);
    return at + changed + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    if (capacity > LARGEST_INPUT || size + 64 > capacity || random_below(&seed, 8) == 0) {
        return LLVMFuzzerMutate(data, size, capacity);
    }
    return mutate_message(data, 0, size, capacity, &seed, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    dafl_network *network = NULL;
    memory_begin();
    dafl_status status = dafl_network_load_memory(data, (int64_t)size, NULL, &network);
    int64_t allowance = allowance_of(network);
    memory_end(size, allowance);
    require_answer(status, network);
    use(network, data, size);
    return 0;
}
