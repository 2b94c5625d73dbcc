#include "include/lane_kernels.h"

// The same source for each instruction set: see kernels.inc.

#define TARGET_SUFFIX baseline
#define TARGET_NAME "baseline"
#define NATIVE_FLOATS 4
#if defined(__aarch64__)
// 32 registers of 4 floats: 6 x 1 vectors of 16 take 24 of them.
#define TILE_OUTPUTS 6
#define TILE_VECTORS 6
#else
// 16 registers of 4 floats: 3 x 1 vectors of 16 take 12 of them.
#define TILE_OUTPUTS 3
#define TILE_VECTORS 3
#endif
#include "kernels.inc"
#undef TARGET_SUFFIX
#undef TARGET_NAME
#undef NATIVE_FLOATS
#undef TILE_OUTPUTS
#undef TILE_VECTORS

#if defined(__x86_64__)

// 16 registers of 8 floats: 6 x 1 vectors of 16 take 12 of them.
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#define TARGET_SUFFIX avx2
#define TARGET_NAME "avx2"
#define NATIVE_FLOATS 8
#define TILE_OUTPUTS 6
#define TILE_VECTORS 6
#include "kernels.inc"
#undef TARGET_SUFFIX
#undef TARGET_NAME
#undef NATIVE_FLOATS
#undef TILE_OUTPUTS
#undef TILE_VECTORS
#pragma clang attribute pop

// 32 registers of 16 floats: 8 x 3 vectors take 24 of them.
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,bmi2"))), apply_to = function)
#define TARGET_SUFFIX avx512
#define TARGET_NAME "avx512"
#define NATIVE_FLOATS 16
#define TILE_OUTPUTS 8
#define TILE_VECTORS 24
#include "kernels.inc"
#undef TARGET_SUFFIX
#undef TARGET_NAME
#undef NATIVE_FLOATS
#undef TILE_OUTPUTS
#undef TILE_VECTORS
#pragma clang attribute pop

int lane_kernels_available(void) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) return 1;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) return 2;
    return 3;
}

const lane_kernels *lane_kernels_at(int level) {
    return level >= 2 ? &kernels_avx512 : level == 1 ? &kernels_avx2 : &kernels_baseline;
}

#else

int lane_kernels_available(void) { return 1; }

const lane_kernels *lane_kernels_at(int level) { return &kernels_baseline; }

#endif
