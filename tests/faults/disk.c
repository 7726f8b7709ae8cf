/* A disk that remembers: what a process writes, syncs, renames and answers, in the order in which it happened.
 *
 * Loaded with LD_PRELOAD. Files below GREENTILL_DISK_ROOT are recorded in GREENTILL_DISK_JOURNAL, beside what
 * the process says on sockets and on its standard output, so that one can tell what had been promised when the
 * power went. GREENTILL_DISK_CONTROL names a file that tests map to slow syncs down, to make calls fail and to
 * count. disk.py speaks for all three; image.py rebuilds from the journal what a power cut leaves. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { UNKNOWN, OTHER, FILE_BELOW, FOLDER_BELOW, ANSWERS };
enum { MOST_FDS = 65536 };

struct head { /* of a journal entry; disk.py knows the same layout */
  char type;
  char unused;
  uint16_t path_length;
  uint32_t data_length;
  uint64_t inode;
  int64_t number; /* offset, size or the number of a sync */
};

struct control {
  volatile uint32_t sync_microseconds;
  volatile int32_t fail_syncs;  /* how many syncs fail with EIO from now on; -1: all */
  volatile int32_t fail_writes; /* errno of every write below the root; 0: none */
  volatile uint32_t syncs;      /* how many there were */
  volatile int64_t clock_nanoseconds; /* how far the wall clock is ahead of the machine's */
  volatile int32_t fail_reads;        /* errno of every read of a page below the root; 0: none */
  volatile int32_t clock_set;         /* whether the kernel calls the clock synchronized; 0: as it is */
  volatile int64_t fail_reads_from;   /* only reads at this offset and beyond fail */
};

static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
static struct control nothing, *control = &nothing;
static unsigned char kinds[MOST_FDS];
static uint64_t inodes[MOST_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t sync_number;

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)


/* Also called by a process that was forked, once its own environment says where its disk is. */
__attribute__((constructor)) void greentill_disk_begin(void) {
  const char *name = getenv("GREENTILL_DISK_ROOT");
  sync_number = (int64_t)getpid() << 32; /* numbers of several processes stay apart */
  if (!name || !realpath(name, root)) return;
  root_length = strlen(root);
  if ((name = getenv("GREENTILL_DISK_JOURNAL")))
    journal = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((name = getenv("GREENTILL_DISK_CONTROL"))) {
    int fd = open(name, O_RDWR | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) control = page;
    if (fd >= 0) close(fd);
  }
}

static int below(const char *path) {
  return root_length && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static void put(char type, uint64_t inode, int64_t number, const char *path, const void *data, size_t size) {
  if (journal < 0) return;
  struct head head = {type, 0, path ? strlen(path) : 0, size, inode, number};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_length}, {(void *)data, size}};
  REAL(writev);
  if (real(journal, parts, 3) != (ssize_t)(sizeof head + head.path_length + size)) abort();
}

static int kind(int fd) {
  if (fd < 0 || fd >= MOST_FDS || fd == journal) return OTHER;
  if (kinds[fd] == UNKNOWN) {
    int type = 0;
    socklen_t length = sizeof type;
    int answers = fd == 1 || (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) && type == SOCK_STREAM);
    kinds[fd] = answers ? ANSWERS : OTHER;
  }
  return kinds[fd];
}

/* Where a path leads once its folder is resolved; the last part stays as it is. */
static const char *resolve(int folder, const char *path, char *found) {
  char whole[PATH_MAX * 2], parent[PATH_MAX];
  if (*path != '/' && folder != AT_FDCWD) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, parent, sizeof parent - 1);
    if (length < 0) return NULL;
    parent[length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", parent, path);
  } else {
    snprintf(whole, sizeof whole, "%s", path);
  }
  char *last = strrchr(whole, '/');
  if (last) *last++ = 0;
  if (!realpath(last ? (*whole ? whole : "/") : ".", parent)) return NULL;
  if (snprintf(found, PATH_MAX, "%s/%s", parent, last ? last : whole) >= PATH_MAX) return NULL;
  return below(found) ? found : NULL;
}

static int opened(int fd, int flags) {
  char link[64], path[PATH_MAX];
  struct stat status;
  if (fd < 0 || fd >= MOST_FDS) return fd;
  int saved = errno;
  kinds[fd] = UNKNOWN;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length > 0 && (path[length] = 0, below(path)) && !fstat(fd, &status)) {
    kinds[fd] = S_ISDIR(status.st_mode) ? FOLDER_BELOW : S_ISREG(status.st_mode) ? FILE_BELOW : OTHER;
    inodes[fd] = status.st_ino;
    if (kinds[fd] == FILE_BELOW) {
      pthread_mutex_lock(&lock);
      put('o', status.st_ino, flags & O_TRUNC ? 1 : 0, path, NULL, 0);
      pthread_mutex_unlock(&lock);
    }
  }
  errno = saved;
  return fd;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = va_arg(more, mode_t); \
    va_end(more); \
    REAL(name); \
    return opened(real(path, flags, mode), flags); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = va_arg(more, mode_t); \
    va_end(more); \
    REAL(name); \
    return opened(real(folder, path, flags, mode), flags); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < MOST_FDS) kinds[fd] = UNKNOWN;
  return real(fd);
}

static int refused(int fd) {
  if (kind(fd) != FILE_BELOW || !control->fail_writes) return 0;
  errno = control->fail_writes;
  return 1;
}

/* A promise counts from before it is sent; a write counts once it was made. */
static void promised(int fd, const void *data, size_t size) {
  if (kind(fd) != ANSWERS) return;
  pthread_mutex_lock(&lock);
  put('a', fd, 0, NULL, data, size);
  pthread_mutex_unlock(&lock);
}


ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  if (kind(fd) != FILE_BELOW) {
    promised(fd, data, size);
    return real(fd, data, size);
  }
  if (refused(fd)) return -1;
  pthread_mutex_lock(&lock);
  ssize_t done = real(fd, data, size);
  if (done > 0) put('w', inodes[fd], lseek(fd, 0, SEEK_CUR) - done, NULL, data, done);
  pthread_mutex_unlock(&lock);
  return done;
}

#define PWRITE(name) \
  ssize_t name(int fd, const void *data, size_t size, __typeof__((off_t)0) offset) { \
    REAL(name); \
    if (kind(fd) != FILE_BELOW) return real(fd, data, size, offset); \
    if (refused(fd)) return -1; \
    pthread_mutex_lock(&lock); \
    ssize_t done = real(fd, data, size, offset); \
    if (done > 0) put('w', inodes[fd], offset, NULL, data, done); \
    pthread_mutex_unlock(&lock); \
    return done; \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PREAD(name) \
  ssize_t name(int fd, void *data, size_t size, __typeof__((off_t)0) offset) { \
    REAL(name); \
    if (control->fail_reads && offset >= control->fail_reads_from && kind(fd) == FILE_BELOW) { \
      errno = control->fail_reads; \
      return -1; \
    } \
    return real(fd, data, size, offset); \
  }
PREAD(pread)
PREAD(pread64)

static void gathered(int fd, const struct iovec *parts, int count, int64_t offset, ssize_t done) {
  for (int i = 0; i < count && done > 0; i++) {
    size_t size = (ssize_t)parts[i].iov_len < done ? parts[i].iov_len : (size_t)done;
    if (kind(fd) == FILE_BELOW) put('w', inodes[fd], offset, NULL, parts[i].iov_base, size);
    if (kind(fd) == ANSWERS) put('a', fd, 0, NULL, parts[i].iov_base, size);
    offset += size;
    done -= size;
  }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  if (kind(fd) == OTHER) return real(fd, parts, count);
  if (refused(fd)) return -1;
  pthread_mutex_lock(&lock);
  if (kind(fd) == ANSWERS) gathered(fd, parts, count, 0, SSIZE_MAX);
  ssize_t done = real(fd, parts, count);
  if (kind(fd) == FILE_BELOW && done > 0) gathered(fd, parts, count, lseek(fd, 0, SEEK_CUR) - done, done);
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
  REAL(send);
  promised(fd, data, size);
  return real(fd, data, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(sendmsg);
  if (kind(fd) == ANSWERS) {
    pthread_mutex_lock(&lock);
    gathered(fd, message->msg_iov, message->msg_iovlen, 0, SSIZE_MAX);
    pthread_mutex_unlock(&lock);
  }
  return real(fd, message, flags);
}

#define TRUNCATE(name) \
  int name(int fd, __typeof__((off_t)0) size) { \
    REAL(name); \
    if (kind(fd) != FILE_BELOW) return real(fd, size); \
    if (refused(fd)) return -1; \
    pthread_mutex_lock(&lock); \
    int failed = real(fd, size); \
    if (!failed) put('t', inodes[fd], size, NULL, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    return failed; \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define ALLOCATE(name) \
  int name(int fd, __typeof__((off_t)0) offset, __typeof__((off_t)0) size) { \
    REAL(name); \
    if (kind(fd) != FILE_BELOW) return real(fd, offset, size); \
    if (control->fail_writes) return control->fail_writes; \
    pthread_mutex_lock(&lock); \
    int failed = real(fd, offset, size); \
    if (!failed) put('g', inodes[fd], offset + size, NULL, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    return failed; \
  }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

/* What was written before 's' is on disk from 'S' with the same number on. */
#define SYNC(name) \
  int name(int fd) { \
    REAL(name); \
    int what = kind(fd); \
    if (what != FILE_BELOW && what != FOLDER_BELOW) return real(fd); \
    pthread_mutex_lock(&lock); \
    int64_t number = ++sync_number; \
    control->syncs++; \
    int fails = control->fail_syncs; \
    if (fails > 0) control->fail_syncs = fails - 1; \
    if (!fails) put('s', what == FOLDER_BELOW ? 0 : inodes[fd], number, NULL, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    if (fails) { \
      errno = EIO; \
      return -1; \
    } \
    uint32_t wait = control->sync_microseconds; \
    struct timespec pause = {wait / 1000000, wait % 1000000 * 1000L}; \
    if (wait) nanosleep(&pause, NULL); \
    int failed = real(fd); \
    pthread_mutex_lock(&lock); \
    if (!failed) put('S', what == FOLDER_BELOW ? 0 : inodes[fd], number, NULL, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    return failed; \
  }
SYNC(fsync)
SYNC(fdatasync)

/* Renames: both paths, the second as data, either empty when it lies elsewhere. */
static int renamed(int failed, const char *from, const char *to) {
  if (!failed && (from || to)) {
    pthread_mutex_lock(&lock);
    put('r', 0, 0, from ? from : "", to ? to : "", to ? strlen(to) : 0);
    pthread_mutex_unlock(&lock);
  }
  return failed;
}

int rename(const char *from, const char *to) {
  char one[PATH_MAX], two[PATH_MAX];
  REAL(rename);
  const char *a = resolve(AT_FDCWD, from, one), *b = resolve(AT_FDCWD, to, two);
  return renamed(real(from, to), a, b);
}

int renameat(int folder, const char *from, int other, const char *to) {
  char one[PATH_MAX], two[PATH_MAX];
  REAL(renameat);
  const char *a = resolve(folder, from, one), *b = resolve(other, to, two);
  return renamed(real(folder, from, other, to), a, b);
}

static int removed(int failed, const char *path) {
  if (!failed && path) {
    pthread_mutex_lock(&lock);
    put('u', 0, 0, path, NULL, 0);
    pthread_mutex_unlock(&lock);
  }
  return failed;
}

int unlink(const char *path) {
  char found[PATH_MAX];
  REAL(unlink);
  const char *here = resolve(AT_FDCWD, path, found);
  return removed(real(path), here);
}

int unlinkat(int folder, const char *path, int flags) {
  char found[PATH_MAX];
  REAL(unlinkat);
  const char *here = resolve(folder, path, found);
  return removed(real(folder, path, flags), here);
}

int clock_gettime(clockid_t which, struct timespec *now) {
  REAL(clock_gettime);
  int failed = real(which, now);
  if (!failed && which == CLOCK_REALTIME && control->clock_nanoseconds) {
    int64_t moved = now->tv_sec * 1000000000LL + now->tv_nsec + control->clock_nanoseconds;
    now->tv_sec = moved / 1000000000LL;
    now->tv_nsec = moved % 1000000000LL;
  }
  return failed;
}

int adjtimex(struct timex *asked) {
  REAL(adjtimex);
  int state = real(asked);
  if (!control->clock_set || asked->modes) return state;
  asked->status &= ~STA_UNSYNC;
  return TIME_OK;
}
