/* A preload library that stands between a process and the files under one folder.
 *
 * It counts the calls that touch them and, at the N-th, kills the process (before the call, after
 * half of a write, after the call), makes the call fail with an errno, or lets a write end early. It
 * can also record every change, with its bytes, for `replay.py`.
 *
 * Calls go to the kernel directly; only opendir() needs the library underneath. What mmap() or
 * stdio's own buffers write is not seen: neither rekindle nor the callbacks compared with it write
 * so.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
  CREATE = 1, OPEN = 2, WRITE = 4, SYNC = 8, RENAME = 16, UNLINK = 32, MKDIR = 64,
  TRUNCATE = 128, LINK = 256, CLOSE = 512, READ = 1024, LOCK = 2048, LIST = 4096
};
enum action { PASS, KILL_BEFORE, KILL_HALF, KILL_AFTER, FAIL, SHORT };

#define MAX_FD 4096
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static int armed_action, armed_mask, armed_errno, paused;
static long armed_from, armed_until, count;
static char *paths[MAX_FD];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- what the Python side calls ---- */

void fault_begin(const char *folder, int log) {
  snprintf(root, sizeof root, "%s", folder);
  log_fd = log;
  armed_action = PASS;
  count = 0;
  root_length = strlen(root);
}

void fault_arm(int action, int mask, long from, long until, int error) {
  armed_mask = mask;
  armed_from = from;
  armed_until = until;
  armed_errno = error;
  count = 0;
  armed_action = action;
}

void fault_pause(int on) { paused = on; }

long fault_count(void) { return count; }

static void record(const char *call, int fd, long long offset, long long length, int flags,
                   const char *path, const char *other, const void *data);

void fault_mark(const char *text) { record("mark", -1, 0, 0, 0, text, "", NULL); }

void fault_end(void) { root_length = 0; log_fd = -1; armed_action = PASS; }

/* ---- where a path leads ---- */

static int resolve(int dir, const char *path, char *out) {
  char base[PATH_MAX], link[64];
  if (!root_length || !path) return 0;
  if (path[0] == '/') {
    if (strlen(path) >= PATH_MAX) return 0;
    strcpy(out, path);
  } else {
    if (dir == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1);
    if (n < 0) return 0;
    base[n] = 0;
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
  }
  size_t n = strlen(out);
  while (n > 1 && out[n - 1] == '/') out[--n] = 0;
  return !strncmp(out, root, root_length) && (out[root_length] == '/' || !out[root_length]);
}

static const char *known(int fd) {
  return root_length && fd >= 0 && fd < MAX_FD ? paths[fd] : NULL;
}

static void remember(int fd, const char *path) {
  if (fd < 0 || fd >= MAX_FD) return;
  free(paths[fd]);
  paths[fd] = path ? strdup(path) : NULL;
}

/* ---- the fault itself ---- */

static void die(void) {
  syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
  for (;;) pause();
}

static int enter(int kind) {
  if (paused || armed_action == PASS || !(kind & armed_mask)) return PASS;
  long now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  if (now < armed_from || now > armed_until) return PASS;
  if (armed_action == KILL_BEFORE) die();
  if (armed_action == FAIL) errno = armed_errno;
  return armed_action;
}

static void leave(int action) {
  if (action == KILL_AFTER) {
    int saved = errno;
    die();
    errno = saved;
  }
}

static void put(const void *data, size_t length) {
  const char *at = data;
  while (length) {
    ssize_t n = syscall(SYS_write, log_fd, at, length);
    if (n <= 0) return;
    at += n;
    length -= n;
  }
}

static void record(const char *call, int fd, long long offset, long long length, int flags,
                   const char *path, const char *other, const void *data) {
  if (log_fd < 0) return;
  int saved = errno;
  char line[3 * PATH_MAX];
  int n = snprintf(line, sizeof line, "%s\t%d\t%lld\t%lld\t%d\t%s\t%s\n", call, fd, offset, length,
                   flags, path, other);
  pthread_mutex_lock(&mutex);
  put(line, n);
  if (data) put(data, length);
  pthread_mutex_unlock(&mutex);
  errno = saved;
}

/* ---- opening and closing ---- */

static int do_open(int dir, const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  if (!resolve(dir, path, full)) return syscall(SYS_openat, dir, path, flags, mode);
  int action = enter(flags & (O_CREAT | O_TRUNC) ? CREATE : OPEN);
  if (action == FAIL) return -1;
  struct stat status;
  int there = flags & O_CREAT ? !syscall(SYS_newfstatat, dir, path, &status, 0) : 1;
  int fd = syscall(SYS_openat, dir, path, flags, mode);
  if (fd >= 0) {
    remember(fd, full);
    record(there ? "open" : "create", fd, 0, 0, flags & O_TRUNC ? 1 : 0, full, "", NULL);
  }
  leave(action);
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }
int open(const char *p, int flags, ...) { MODE(flags) return do_open(AT_FDCWD, p, flags, mode); }
int open64(const char *p, int flags, ...) { MODE(flags) return do_open(AT_FDCWD, p, flags, mode); }
int openat(int d, const char *p, int flags, ...) { MODE(flags) return do_open(d, p, flags, mode); }
int openat64(int d, const char *p, int flags, ...) { MODE(flags) return do_open(d, p, flags, mode); }
int __open_2(const char *p, int flags) { return do_open(AT_FDCWD, p, flags, 0); }
int __open64_2(const char *p, int flags) { return do_open(AT_FDCWD, p, flags, 0); }
int __openat_2(int d, const char *p, int flags) { return do_open(d, p, flags, 0); }
int __openat64_2(int d, const char *p, int flags) { return do_open(d, p, flags, 0); }
int creat(const char *p, mode_t m) {
  return do_open(AT_FDCWD, p, O_CREAT | O_WRONLY | O_TRUNC, m);
}
int creat64(const char *p, mode_t m) { return creat(p, m); }

int close(int fd) {
  if (!known(fd)) return syscall(SYS_close, fd);
  int action = enter(CLOSE);
  record("close", fd, 0, 0, 0, "", "", NULL);
  remember(fd, NULL);
  /* As on Linux: the descriptor is gone even when close() reports an error. */
  int saved = errno, result = syscall(SYS_close, fd);
  if (action == FAIL) {
    errno = saved;
    return -1;
  }
  leave(action);
  return result;
}

DIR *opendir(const char *path) {
  static DIR *(*below)(const char *);
  if (!below) below = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
  char full[PATH_MAX];
  if (resolve(AT_FDCWD, path, full) && enter(LIST) == FAIL) return NULL;
  return below(path);
}

/* ---- bytes ---- */

static ssize_t do_write(int fd, const void *data, size_t length, long long offset) {
  int here = offset < 0;
  if (!known(fd))
    return here ? syscall(SYS_write, fd, data, length)
                : syscall(SYS_pwrite64, fd, data, length, offset);
  int action = enter(WRITE);
  if (action == FAIL) return -1;
  size_t part = (action == KILL_HALF || action == SHORT) && length > 1 ? length / 2 : length;
  ssize_t n = here ? syscall(SYS_write, fd, data, part)
                   : syscall(SYS_pwrite64, fd, data, part, offset);
  if (n > 0) {
    if (here) offset = syscall(SYS_lseek, fd, 0, SEEK_CUR) - n;
    record("write", fd, offset, n, 0, "", "", data);
  }
  if (action == KILL_HALF) die();
  leave(action);
  return n;
}

ssize_t write(int fd, const void *data, size_t n) { return do_write(fd, data, n, -1); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t o) { return do_write(fd, data, n, o); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t o) { return do_write(fd, data, n, o); }

ssize_t writev(int fd, const struct iovec *parts, int n) {
  if (!known(fd)) return syscall(SYS_writev, fd, parts, n);
  ssize_t done = 0;
  for (int i = 0; i < n; i++) {
    if (!parts[i].iov_len) continue;
    ssize_t written = do_write(fd, parts[i].iov_base, parts[i].iov_len, -1);
    if (written < 0) return done ? done : -1;
    done += written;
    if ((size_t)written < parts[i].iov_len) break;
  }
  return done;
}

static ssize_t do_sendfile(int out, int in, off_t *offset, size_t length) {
  if (!known(out)) return syscall(SYS_sendfile, out, in, offset, length);
  char data[65536];
  if (length > sizeof data) length = sizeof data;
  ssize_t n = offset ? syscall(SYS_pread64, in, data, length, *offset)
                     : syscall(SYS_read, in, data, length);
  if (n <= 0) return n;
  n = do_write(out, data, n, -1);
  if (n > 0 && offset) *offset += n;
  return n;
}
ssize_t sendfile(int out, int in, off_t *o, size_t n) { return do_sendfile(out, in, o, n); }
ssize_t sendfile64(int out, int in, off64_t *o, size_t n) { return do_sendfile(out, in, o, n); }

ssize_t read(int fd, void *data, size_t n) {
  if (known(fd) && enter(READ) == FAIL) return -1;
  return syscall(SYS_read, fd, data, n);
}
ssize_t pread(int fd, void *data, size_t n, off_t o) {
  if (known(fd) && enter(READ) == FAIL) return -1;
  return syscall(SYS_pread64, fd, data, n, o);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t o) { return pread(fd, data, n, o); }

/* ---- everything that is one plain call on a descriptor ---- */

#define ON_FD(kind, name, number, length) \
  if (!known(fd)) return syscall number; \
  int action = enter(kind); \
  if (action == FAIL) return -1; \
  int result = syscall number; \
  if (!result) record(name, fd, 0, length, 0, "", "", NULL); \
  leave(action); \
  return result;

int fsync(int fd) { ON_FD(SYNC, "sync", (SYS_fsync, fd), 0) }
int fdatasync(int fd) { ON_FD(SYNC, "sync", (SYS_fdatasync, fd), 0) }
int ftruncate(int fd, off_t n) {
  if (!known(fd)) return syscall(SYS_ftruncate, fd, n);
  int action = enter(TRUNCATE);
  if (action == FAIL) return -1;
  int result = syscall(SYS_ftruncate, fd, n);
  if (!result) record("truncate", fd, n, 0, 0, "", "", NULL);
  leave(action);
  return result;
}
int ftruncate64(int fd, off64_t n) { return ftruncate(fd, n); }
int flock(int fd, int operation) {
  if (known(fd) && enter(LOCK) == FAIL) return -1;
  return syscall(SYS_flock, fd, operation);
}

/* ---- names ---- */

static int do_rename(int d, const char *from, int e, const char *to, unsigned flags) {
  char a[PATH_MAX], b[PATH_MAX];
  int inside = resolve(d, from, a);
  inside |= resolve(e, to, b);
  if (!inside) return syscall(SYS_renameat2, d, from, e, to, flags);
  int action = enter(RENAME);
  if (action == FAIL) return -1;
  int result = syscall(SYS_renameat2, d, from, e, to, flags);
  if (!result) record("rename", -1, 0, 0, 0, a, b, NULL);
  leave(action);
  return result;
}
int rename(const char *a, const char *b) { return do_rename(AT_FDCWD, a, AT_FDCWD, b, 0); }
int renameat(int d, const char *a, int e, const char *b) { return do_rename(d, a, e, b, 0); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) {
  return do_rename(d, a, e, b, f);
}

static int do_unlink(int dir, const char *path, int flags) {
  char full[PATH_MAX];
  if (!resolve(dir, path, full)) return syscall(SYS_unlinkat, dir, path, flags);
  int action = enter(UNLINK);
  if (action == FAIL) return -1;
  int result = syscall(SYS_unlinkat, dir, path, flags);
  if (!result) record("unlink", -1, 0, 0, flags, full, "", NULL);
  leave(action);
  return result;
}
int unlink(const char *path) { return do_unlink(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return do_unlink(dir, path, flags); }
int rmdir(const char *path) { return do_unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = do_unlink(AT_FDCWD, path, 0);
  return result && errno == EISDIR ? do_unlink(AT_FDCWD, path, AT_REMOVEDIR) : result;
}

static int do_mkdir(int dir, const char *path, mode_t mode) {
  char full[PATH_MAX];
  if (!resolve(dir, path, full)) return syscall(SYS_mkdirat, dir, path, mode);
  int action = enter(MKDIR);
  if (action == FAIL) return -1;
  int result = syscall(SYS_mkdirat, dir, path, mode);
  if (!result) record("mkdir", -1, 0, 0, 0, full, "", NULL);
  leave(action);
  return result;
}
int mkdir(const char *path, mode_t mode) { return do_mkdir(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return do_mkdir(dir, path, mode); }

int linkat(int d, const char *from, int e, const char *to, int flags) {
  char a[PATH_MAX], b[PATH_MAX];
  int inside = resolve(d, from, a);
  inside |= resolve(e, to, b);
  if (!inside) return syscall(SYS_linkat, d, from, e, to, flags);
  int action = enter(LINK);
  if (action == FAIL) return -1;
  int result = syscall(SYS_linkat, d, from, e, to, flags);
  if (!result) record("link", -1, 0, 0, 0, a, b, NULL);
  leave(action);
  return result;
}
int link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
