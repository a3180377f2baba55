// The system calls and constants that the Swift overlay of glibc does not show, because they are GNU extensions.
//
// All functions return a negative errno on failure.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Reads from the page cache only: -EAGAIN when the bytes are not in memory, -EOPNOTSUPP where that cannot be asked.
ssize_t martlet_read_cached(int descriptor, void *bytes, size_t count, off_t offset);

// Reserves room for a file without changing its contents.
int martlet_reserve(int descriptor, off_t offset, off_t count);

// Opens an existing file for writes that bypass the page cache and are durable when they return.
int martlet_open_direct(const char *path);

// Names the calling thread (at most 15 characters).
void martlet_name_thread(const char *name);

// Catches SIGINT and SIGTERM, ignores SIGPIPE; returns the descriptor from which one byte, the signal's number, can be
// read for each that came. To be called once.
int martlet_catch_termination(void);

// Raises the limit of open files as far as the process may; returns the limit.
int64_t martlet_raise_file_limit(void);

// Columns in the high, rows in the low 16 bits; 0 when the descriptor is not a terminal.
uint32_t martlet_window_size(int descriptor);

// Starts a program in a session of its own, so that no terminal's signals reach it: without input, its output and its
// errors behind what the file `log` has, no other descriptor, and signals as they are at the start of a login. Returns
// the process.
pid_t martlet_start_detached(const char *path, char *const arguments[], const char *log);
