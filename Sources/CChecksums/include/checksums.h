// CRC-32C (Castagnoli) for files and internode messages, CRC-32 (IEEE 802.3) for native-protocol v5 segments.
//
// Both take and return the plain, finished checksum, so that a checksum can be continued: pass the last result as
// `seed`, 0 to begin. On x86-64 and AArch64 with the instructions present they are used; elsewhere tables are.
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count);
uint32_t martlet_crc32(uint32_t seed, const void *bytes, size_t count);

// The table-driven versions, for tests that hold the fast ones against them.
uint32_t martlet_crc32c_portable(uint32_t seed, const void *bytes, size_t count);
uint32_t martlet_crc32_portable(uint32_t seed, const void *bytes, size_t count);
