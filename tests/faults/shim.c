// Loaded before libc: counts the calls that change files under $FAULT_DIR, and lets one of them fail
// or kills the process at it. See prove.py.
//   FAULT_LOG   gets a line for each call: number, name, path
//   FAULT_AT    the call at which it happens, from 1; 0 or none: nothing happens
//   FAULT       enospc, eio, short, kill_before, kill_after; full: from that call on nothing of the
//               database can be written, while the room of the spool is there
//   FAULT_DB_FULL_FROM   beside that, the database is full from this call on
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum what { PASS, FAIL, SHORT, KILL_AFTER };

static atomic_long calls;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is(const char *fault) {
    const char *wanted = getenv("FAULT");
    return wanted && strcmp(wanted, fault) == 0;
}

static void tell(long n, const char *name, const char *path) {
    const char *log = getenv("FAULT_LOG");
    if (!log) return;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", n, name, path);
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

static void die(void) { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }

static enum what decide(const char *name, const char *path, int writes) {
    const char *dir = getenv("FAULT_DIR");
    if (!dir || strncmp(path, dir, strlen(dir)) != 0 || strstr(path, ".lock")) return PASS;
    long n = atomic_fetch_add(&calls, 1) + 1, at = number("FAULT_AT"), full = number("FAULT_DB_FULL_FROM");
    int database = strstr(path, ".db") != NULL;
    tell(n, name, path);
    if ((full && n >= full && n != at && database && writes) || (is("full") && at && n >= at && database && writes)) {
        errno = ENOSPC;
        return FAIL;
    }
    if (n != at) return PASS;
    if (is("kill_before")) die();
    if (is("kill_after")) return KILL_AFTER;
    if (is("short")) return writes ? SHORT : PASS;
    if (is("full")) return PASS;
    errno = is("eio") ? EIO : ENOSPC;
    return FAIL;
}

static enum what decide_fd(const char *name, int fd, int writes) {
    char link[64], path[PATH_MAX];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0) return PASS;
    path[length] = 0;
    return decide(name, path, writes);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define END(what) \
    if ((what) == KILL_AFTER) die(); \
    return done

#define WRITE(name, parameters, arguments, shorter) \
    { \
        REAL(ssize_t, name, parameters); \
        enum what what = decide_fd(name, fd, 1); \
        if (what == FAIL) return -1; \
        if (what == SHORT && size > 1) size /= 2; \
        ssize_t done = real arguments; \
        END(what); \
    }
#define COMMA ,
ssize_t write(int fd, const void *bytes, size_t size)
    WRITE("write", int COMMA const void * COMMA size_t, (fd, bytes, size), )
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
    WRITE("pwrite", int COMMA const void * COMMA size_t COMMA off_t, (fd, bytes, size, at), )
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
    WRITE("pwrite64", int COMMA const void * COMMA size_t COMMA off64_t, (fd, bytes, size, at), )

#define BY_FD(name, writes, parameters, arguments) \
    { \
        REAL(int, name, parameters); \
        enum what what = decide_fd(name, fd, writes); \
        if (what == FAIL) return -1; \
        int done = real arguments; \
        END(what); \
    }
int fsync(int fd) BY_FD("fsync", 0, int, (fd))
int fdatasync(int fd) BY_FD("fdatasync", 0, int, (fd))
int ftruncate(int fd, off_t size) BY_FD("ftruncate", 0, int COMMA off_t, (fd, size))
int ftruncate64(int fd, off64_t size) BY_FD("ftruncate64", 0, int COMMA off64_t, (fd, size))

#define BY_PATH(name, parameters, arguments) \
    { \
        REAL(int, name, parameters); \
        enum what what = decide(name, path, 0); \
        if (what == FAIL) return -1; \
        int done = real arguments; \
        END(what); \
    }
int unlink(const char *path) BY_PATH("unlink", const char *, (path))
int rename(const char *path, const char *to) BY_PATH("rename", const char * COMMA const char *, (path, to))

#define OPEN(name) \
    { \
        REAL(int, #name, const char *, int, ...); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        enum what what = (flags & O_ACCMODE) == O_RDONLY ? PASS : decide(#name, path, 0); \
        if (what == FAIL) return -1; \
        int done = real(path, flags, mode); \
        END(what); \
    }
int open(const char *path, int flags, ...) OPEN(open)
int open64(const char *path, int flags, ...) OPEN(open64)
