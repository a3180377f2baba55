#include "checksums.h"
#include <string.h>

// Slicing-by-eight tables, filled on first use. Two threads that fill them at once write the same values.
static uint32_t castagnoli[8][256];
static uint32_t ieee[8][256];
static int filled;

static void fill(uint32_t table[8][256], uint32_t polynomial) {
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t value = index;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? polynomial : 0);
        table[0][index] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int index = 0; index < 256; index++)
            table[slice][index] = (table[slice - 1][index] >> 8) ^ table[0][table[slice - 1][index] & 0xff];
}

static void fill_tables(void) {
    if (__atomic_load_n(&filled, __ATOMIC_ACQUIRE)) return;
    fill(castagnoli, 0x82f63b78u);
    fill(ieee, 0xedb88320u);
    __atomic_store_n(&filled, 1, __ATOMIC_RELEASE);
}

static uint32_t sliced(uint32_t table[8][256], uint32_t state, const uint8_t *at, size_t count) {
    while (count >= 8) {
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + 4, 4);
        low ^= state;
        state = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^ table[4][low >> 24]
            ^ table[3][high & 0xff] ^ table[2][(high >> 8) & 0xff] ^ table[1][(high >> 16) & 0xff] ^ table[0][high >> 24];
        at += 8;
        count -= 8;
    }
    while (count--) state = (state >> 8) ^ table[0][(state ^ *at++) & 0xff];
    return state;
}

uint32_t martlet_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
    fill_tables();
    return ~sliced(castagnoli, ~seed, bytes, count);
}

uint32_t martlet_crc32_portable(uint32_t seed, const void *bytes, size_t count) {
    fill_tables();
    return ~sliced(ieee, ~seed, bytes, count);
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t state, const uint8_t *at, size_t count) {
    uint64_t wide = state;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
        at += 8;
        count -= 8;
    }
    state = (uint32_t)wide;
    while (count--) state = _mm_crc32_u8(state, *at++);
    return state;
}

// Folding by carry-less multiplication: V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Intel 2009; the constants are x^k mod P for the reflected IEEE polynomial, from its table.
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc32_folded(uint32_t state, const uint8_t *at, size_t count) {
    const __m128i fold64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i fold16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i a = _mm_loadu_si128((const __m128i *)at), b = _mm_loadu_si128((const __m128i *)(at + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(at + 32)), d = _mm_loadu_si128((const __m128i *)(at + 48));
    a = _mm_xor_si128(a, _mm_cvtsi32_si128((int)state));
    at += 64;
    count -= 64;
#define FOLD(into, with, next) \
    into = _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(into, with, 0x00), _mm_clmulepi64_si128(into, with, 0x11)), next)
    while (count >= 64) {
        FOLD(a, fold64, _mm_loadu_si128((const __m128i *)at));
        FOLD(b, fold64, _mm_loadu_si128((const __m128i *)(at + 16)));
        FOLD(c, fold64, _mm_loadu_si128((const __m128i *)(at + 32)));
        FOLD(d, fold64, _mm_loadu_si128((const __m128i *)(at + 48)));
        at += 64;
        count -= 64;
    }
    FOLD(a, fold16, b);
    FOLD(a, fold16, c);
    FOLD(a, fold16, d);
    while (count >= 16) {
        FOLD(a, fold16, _mm_loadu_si128((const __m128i *)at));
        at += 16;
        count -= 16;
    }
#undef FOLD
    // What is left is congruent to the folded prefix: finish it, and the tail, with the tables.
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)rest, a);
    fill_tables();
    state = sliced(ieee, 0, rest, 16);
    return sliced(ieee, state, at, count);
}

uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count) {
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_hardware(~seed, bytes, count);
    return martlet_crc32c_portable(seed, bytes, count);
}

uint32_t martlet_crc32(uint32_t seed, const void *bytes, size_t count) {
    if (count >= 64 && __builtin_cpu_supports("pclmul")) return ~crc32_folded(~seed, bytes, count);
    return martlet_crc32_portable(seed, bytes, count);
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    uint32_t state = ~seed;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        state = __crc32cd(state, word);
    }
    while (count--) state = __crc32cb(state, *at++);
    return ~state;
}

uint32_t martlet_crc32(uint32_t seed, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    uint32_t state = ~seed;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        state = __crc32d(state, word);
    }
    while (count--) state = __crc32b(state, *at++);
    return ~state;
}
#else
uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count) {
    return martlet_crc32c_portable(seed, bytes, count);
}

uint32_t martlet_crc32(uint32_t seed, const void *bytes, size_t count) {
    return martlet_crc32_portable(seed, bytes, count);
}
#endif
