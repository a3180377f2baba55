#define _GNU_SOURCE
#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t martlet_read_cached(int descriptor, void *bytes, size_t count, off_t offset) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    ssize_t result;
    do {
        result = preadv2(descriptor, &part, 1, offset, RWF_NOWAIT);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int martlet_reserve(int descriptor, off_t offset, off_t count) {
    int result;
    do {
        result = fallocate(descriptor, 0, offset, count);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int martlet_open_direct(const char *path) {
    int descriptor = open(path, O_RDWR | O_CLOEXEC | O_DIRECT | O_DSYNC);
    return descriptor < 0 ? -errno : descriptor;
}

void martlet_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

static volatile int termination_write_end = -1;

static void note_termination(int signal_number) {
    int saved = errno;
    unsigned char byte = (unsigned char)signal_number;
    // The pipe does not block; when it is full, enough signals are already waiting.
    ssize_t ignored = write(termination_write_end, &byte, 1);
    (void)ignored;
    errno = saved;
}

int martlet_catch_termination(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    termination_write_end = ends[1];
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_termination;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0) return -errno;
    signal(SIGPIPE, SIG_IGN);
    return ends[0];
}

int64_t martlet_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    }
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

uint32_t martlet_window_size(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return 0;
    return (uint32_t)size.ws_col << 16 | size.ws_row;
}
