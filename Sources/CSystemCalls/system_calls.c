#define _GNU_SOURCE
#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
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

pid_t martlet_start_detached(const char *path, char *const arguments[], const char *log) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t process = -1;
    int result = posix_spawn_file_actions_init(&files);
    if (result != 0) return -result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -result;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    result = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&files, 3);
    if (result == 0) result = posix_spawn(&process, path, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return result == 0 ? process : -result;
}
